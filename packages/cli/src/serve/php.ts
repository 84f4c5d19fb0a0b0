// The PHP that `fastcgi serve` starts: one set of processes for all workers.
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { OptionError } from '@fastcgi/client'
import { Monitor, type ProcessStatus } from '@fastcgi/gateway/internal'
import {
  choosePhp,
  createProcessManager,
  type FoundPhp,
  type ProcessManager,
  phpProcesses,
  primaryGroup,
} from '@fastcgi/process-manager'
import type { Logger } from 'pino'
import type { Settings } from '../settings/settings.ts'

/** A PHP that runs. */
export interface RunningPhp {
  readonly addresses: readonly string[]
  /** What it is, for people. */
  readonly title: string
  /** Its processes and what has happened to them, for the status page. */
  status(): ProcessStatus
  close(): Promise<void>
}

/** Finds PHP and starts it. @throws OptionError if there is none; an error if it does not start. */
export async function startPhp({ php, root }: Settings, logger: Logger): Promise<RunningPhp> {
  // First, because without PHP nothing else matters.
  const program = choosePhp(php?.program)
  const user = php?.user ?? userFor(root)
  const found = phpProcesses({ ...php, program, user })
  // What PHP says about its start and end is of interest only if something is wrong.
  const quiet = {
    info: (details: object, message: string) => logger.debug(details, message),
    warn: (details: object, message: string) => logger.debug(details, message),
    error: (details: object, message: string) => logger.error(details, message),
  }
  const manager = createProcessManager({ ...found.options, logger: quiet })
  try {
    await firstStart(manager)
  } catch (error) {
    await manager.close()
    throw error
  }
  const watched = { php: manager }
  const monitor = new Monitor({ dispatchers: () => watched, caches: () => ({}) })
  const as = user === undefined ? '' : ` as ${user}`
  return {
    addresses: manager.processes.map(({ address }) => address),
    title: `${titleOf(found.php)} (${found.workers} workers${as})`,
    status: () => monitor.snapshot(),
    close: () => manager.close(),
  }
}

function titleOf({ kind, file }: FoundPhp): string {
  return kind === 'php-wasm'
    ? 'PHP compiled to WebAssembly, which is slow: for trying and tests'
    : file
}

function firstStart(manager: ProcessManager): Promise<void> {
  return new Promise((resolve, reject) => {
    const forget = manager.onProcess(({ event, reason }) => {
      if (event !== 'started' && event !== 'failed') return
      forget()
      if (event === 'started') resolve()
      else reject(new Error(`PHP does not start: ${reason}`))
    })
  })
}

/** Users for scripts where this process is root, which PHP must not be. */
const USERS = ['www-data', 'apache', 'nobody']

/** As root: the owner of the site, or the user of web servers. @throws OptionError if that user cannot enter the site. */
function userFor(root: string): string | undefined {
  if (process.getuid?.() !== 0) return undefined
  const { uid } = statSync(root, { bigint: true })
  if (uid !== 0n) return String(uid)
  const user = USERS.find(exists)
  if (user === undefined)
    throw new OptionError(
      'PHP must not run as root, and there is no user www-data (option --php-user)',
    )
  const closed = ancestors(root).find((path) => (statSync(path, { bigint: true }).mode & 1n) === 0n)
  if (closed !== undefined)
    throw new OptionError(
      `PHP must not run as root, and ${user} cannot enter ${closed}; make it readable, or name another user (option --php-user)`,
    )
  return user
}

function exists(user: string): boolean {
  try {
    return primaryGroup(user) >= 0
  } catch {
    return false
  }
}

function ancestors(path: string): string[] {
  const parent = dirname(path)
  return parent === path ? [path] : [...ancestors(parent), path]
}
