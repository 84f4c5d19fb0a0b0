/** Sockets whose names are removed, as cleaners of /tmp do; and what looking at a socket must not break. */
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type ProcessManager, phpFpm } from '@fastcgi/process-manager'
import t from 'tap'
import { findPhpFpm } from '#php'
import {
  application,
  ask,
  compileResponder,
  managed,
  NEEDS_LIBFCGI,
} from '../helpers/applications.ts'
import { NEEDS_FPM } from '../helpers/php-site.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { scaled } from '../helpers/time-limit.ts'
import { until, within } from '../helpers/wait.ts'

nothingEscapes()

/** How long it may take until a removed name is noticed. */
const NOTICED = 1200

const socketOf = (manager: ProcessManager): string =>
  manager.processes[0]?.address.slice('unix:'.length) ?? ''

t.test('a name that is removed is made again at once', NEEDS_LIBFCGI, async (t) => {
  const { manager, log } = managed(t, { ...application('libfcgi (C)').options() })
  const first = await ask(manager, {})
  const path = socketOf(manager)
  const running = ask(manager, { WAIT: '3000' })
  await until('the request', () => manager.processes[0]?.load === 1)
  unlinkSync(path)
  const removed = performance.now()
  await until('the name', () => existsSync(path), NOTICED)
  t.ok(performance.now() - removed < scaled(NOTICED))
  t.equal(await running, first, 'the request that was running is answered')
  t.not(await ask(manager, {}), first)
  t.equal(manager.stats.failed, 0)
  t.ok(log.lines.some((line) => line.includes('was removed or replaced')))
})

t.test('so is the temporary directory', NEEDS_LIBFCGI, async (t) => {
  const { manager } = managed(t, { ...application('libfcgi (C)').options(), processes: 2 })
  await ask(manager, {})
  const directory = dirname(socketOf(manager))
  rmSync(directory, { recursive: true })
  await until('the directory', () => existsSync(socketOf(manager)), NOTICED)
  await ask(manager, {})
  await manager.close()
  t.notOk(existsSync(directory))
})

t.test('php-fpm: its configuration stays', NEEDS_FPM, async (t) => {
  const user = process.getuid?.() === 0 ? { user: 'www-data' } : {}
  const { manager, log } = managed(t, phpFpm({ program: findPhpFpm(), children: 2, ...user }))
  const { params } = application('php-cgi')
  await ask(manager, params)
  const master = manager.processes[0]?.pid
  const path = socketOf(manager)
  unlinkSync(path)
  await until('the name', () => existsSync(path), NOTICED)
  await ask(manager, params)
  t.not(manager.processes[0]?.pid, master)
  await until('the end of the old one', () => {
    try {
      return !process.kill(master as number, 0)
    } catch {
      return true
    }
  })
  const ready = (): number => log.lines.filter((line) => line.includes('fpm is running')).length
  const before = ready()
  await manager.restart()
  await until('the reload', () => ready() > before)
  await ask(manager, params)
})

t.test('a name that another program has taken', NEEDS_LIBFCGI, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const { manager, log } = managed(t, {
    ...application('libfcgi (C)').options(),
    listen: `unix:${directory}/app`,
  })
  await ask(manager, {})
  const path = socketOf(manager)
  unlinkSync(path)
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(path, resolve))
  t.teardown(() => server.close())
  await until('the reason', () =>
    log.events.some(({ reason }) => reason?.includes('somebody else does') === true),
  )
  await new Promise((resolve) => server.close(resolve))
  await until('a new one', () => manager.processes[0]?.state === 'running')
  await ask(manager, {})
})

t.test('/proc/net/unix lists the names, so that cleaners spare them', NEEDS_LIBFCGI, async (t) => {
  const { manager } = managed(t, application('libfcgi (C)').options())
  await ask(manager, {})
  t.ok(readFileSync('/proc/net/unix', 'latin1').includes(` ${socketOf(manager)}\n`))
})

t.test(
  'an import through a symbolic link finds its module afterwards',
  NEEDS_LIBFCGI,
  async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
    t.teardown(() => rmSync(directory, { recursive: true }))
    mkdirSync(join(directory, 'real'))
    for (const name of ['before', 'after'])
      writeFileSync(join(directory, `real/${name}.mjs`), 'export default import.meta.url\n')
    symlinkSync('real', join(directory, 'link'))
    const program = `
import { unlinkSync } from 'node:fs'
import { createProcessManager } from '${import.meta.resolve('@fastcgi/process-manager')}'
await import('${directory}/real/before.mjs')
setInterval(() => {}, 60_000)
const logger = { info() {}, warn() {}, error() {} }
const manager = createProcessManager({ command: ['${compileResponder()}'], logger })
await manager.request({ params: { REQUEST_METHOD: 'GET' } })
const lost = manager.processes[0].address.slice('unix:'.length)
const resolved = []
resolved.push(import.meta.resolve('${directory}/link/after.mjs'))
for (let n = 0; n < 2; n++) {
  process.kill(manager.processes[0].pid)
  await new Promise((resolve) => manager.onProcess(({ event }) => event === 'started' && resolve()))
  resolved.push(import.meta.resolve('${directory}/link/after.mjs'))
}
unlinkSync(lost)
await new Promise((resolve) => manager.onProcess(({ event }) => event === 'started' && resolve()))
resolved.push(import.meta.resolve('${directory}/link/after.mjs'))
await manager.close()
console.log(JSON.stringify(resolved.map((url) => url.includes('/real/'))))
process.exit()
`
    const args = ['--input-type=module', '-e', program]
    const { stdout, stderr } = spawnSync(process.execPath, args, {
      encoding: 'utf8',
      timeout: scaled(30_000),
    })
    t.equal(stdout.trim(), '[true,true,true,true]', stderr)
  },
)

t.test('a directory that does not exist is told as such', async (t) => {
  const { manager, log } = managed(t, {
    command: ['/bin/sleep', '60'],
    listen: 'unix:/no/such/directory/app',
    restartDelay: 60_000,
  })
  const refused = t.rejects(ask(manager, {}), { message: /its directory does not exist/ })
  await within('a refusal', refused)
  t.match(log.events[0]?.reason, /cannot listen on .*: its directory does not exist/)
})
