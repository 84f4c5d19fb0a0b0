import { accessSync, constants, statSync } from 'node:fs'
import { basename, delimiter, dirname, join, resolve } from 'node:path'
import { OptionError } from '@fastcgi/client'
import {
  anyOf,
  type Check,
  type Checks,
  integer,
  listOf,
  oneOf,
  text,
} from '@fastcgi/client/internal'
import { type Identity, resolveIdentity } from './identity.ts'

/** Limits of a process, as prlimit(1) calls them: a number for both, or soft and hard ones. */
export type ResourceLimits = Partial<
  Record<(typeof LIMITS)[number], number | readonly [number, number]>
>

const LIMITS = [
  'as',
  'core',
  'cpu',
  'data',
  'fsize',
  'memlock',
  'nofile',
  'nproc',
  'rss',
  'stack',
] as const

/** How a program is started. */
export interface SpawnOptions {
  /** The program and its arguments; no shell (lighttpd `bin-path`). A name without a slash is looked for in PATH. */
  command: readonly string[]
  /** Variables of its environment, which is otherwise empty but for `copyEnv` (lighttpd `bin-environment`, mod_fastcgi `-initial-env`). */
  env?: Readonly<Record<string, string | number | undefined>> | undefined
  /** Variables it gets as this process has them (lighttpd `bin-copy-environment`). @default ['PATH'] */
  copyEnv?: readonly string[] | undefined
  /** @default the directory of the program */
  cwd?: string | undefined
  /** Whom it runs as, by name or number; needs root, and `group` (spawn-fcgi `-u`). */
  user?: string | number | undefined
  /** Its group; needs root, and `user` (spawn-fcgi `-g`). */
  group?: string | number | undefined
  /** File mode creation mask of the program. @default this process's own */
  umask?: number | undefined
  /** What is added to its niceness, -20 to 19; below 0 needs root (mod_fastcgi `-priority`). @default 0 */
  priority?: number | undefined
  /** Directory that becomes its root; needs root. `command` is a path in there (spawn-fcgi `-c`). */
  chroot?: string | undefined
  limits?: ResourceLimits | undefined
  /** Program that is called as `wrapper user group name …` in the place of the application, and starts it (FastCgiSuexec). */
  wrapper?: string | undefined
}

const identity: Check = anyOf(text, integer(0, 4_294_967_294))
const limit: Check = anyOf(integer(0), listOf(integer(0)))

/** Checks of {@link SpawnOptions}. */
export const spawnChecks: Checks = {
  command: (value) =>
    Array.isArray(value) &&
    value.length > 0 &&
    value[0] !== '' &&
    value.every((item) => typeof item === 'string' && !item.includes('\0'))
      ? undefined
      : "an array of the program and its arguments, such as ['php-cgi']",
  env: (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(value).every(
      ([name, item]) => !/[=\0]/.test(name) && name !== '' && !String(item).includes('\0'),
    )
      ? undefined
      : 'an object of variables; names without =, values without NUL',
  copyEnv: listOf(text),
  cwd: text,
  user: identity,
  group: identity,
  umask: integer(0, 0o777),
  priority: integer(-20, 19),
  chroot: text,
  limits: (value) => {
    const wrong =
      typeof value === 'object' && value !== null
        ? Object.entries(value).find(
            ([name, item]) =>
              oneOf(...LIMITS)(name) !== undefined ||
              (item !== undefined && limit(item) !== undefined),
          )
        : value
    return wrong === undefined
      ? undefined
      : `an object of ${LIMITS.join(', ')}: each a whole number, or [soft, hard]`
  },
  wrapper: text,
}

/** A program, ready to be started. */
export interface Launch {
  /** The program itself, also when something else starts it. */
  readonly program: string
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly identity: Identity | undefined
}

/**
 * Makes one command of the options: what has to happen before the program runs is left to the system's own tools, which
 * run it in their own place, so that process id and descriptors stay. @throws OptionError
 */
export function resolveLaunch(options: SpawnOptions): Launch {
  const env = environment(options)
  const who = identityOf(options)
  const [name = '', ...args] = options.command
  const program = options.chroot === undefined ? findProgram(name, env.PATH) : name
  if (options.chroot !== undefined) checkChroot(options)
  const cwd = resolve(options.cwd ?? (options.chroot === undefined ? dirname(program) : '/'))
  if (statSync(cwd, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new OptionError(`option cwd: there is no directory ${cwd}`)
  const command = [...prefix(options, who), ...inner(options, program, args)]
  const [file = program, ...rest] = command
  return { program, file, args: rest, env, cwd, identity: who }
}

function inner(options: SpawnOptions, program: string, args: readonly string[]): string[] {
  if (options.wrapper === undefined) return [program, ...args]
  const wrapper = findProgram(options.wrapper, undefined, 'wrapper')
  return [wrapper, String(options.user), String(options.group), basename(program), ...args]
}

function prefix(options: SpawnOptions, who: Identity | undefined): string[] {
  const { priority = 0, limits = {}, umask, chroot, wrapper } = options
  const words: string[] = []
  if (priority !== 0) words.push(findTool('nice', 'priority'), '-n', String(priority))
  const all = Object.entries(limits).filter(([, value]) => value !== undefined)
  if (all.length > 0) words.push(findTool('prlimit', 'limits'))
  for (const [name, value] of all)
    words.push(`--${name}=${typeof value === 'number' ? value : value.join(':')}`)
  if (umask !== undefined)
    words.push('/bin/sh', '-c', `umask ${umask.toString(8)} && exec "$@"`, 'fastcgi-umask')
  if (chroot !== undefined) {
    words.push(findTool('chroot', 'chroot'))
    if (who !== undefined) words.push(`--userspec=${who.uid}:${who.gid}`, `--groups=${who.groups}`)
    words.push(chroot)
  } else if (who !== undefined && wrapper === undefined)
    words.push(
      findTool('setpriv', 'user'),
      `--reuid=${who.uid}`,
      `--regid=${who.gid}`,
      `--groups=${who.groups}`,
    )
  return words
}

function identityOf(options: SpawnOptions): Identity | undefined {
  const { user, group, wrapper, priority = 0, chroot } = options
  if ((user === undefined) !== (group === undefined))
    throw new OptionError(
      `option ${user === undefined ? 'user' : 'group'} is missing: user and group go together, for with one alone the other stays that of root`,
    )
  const root = process.getuid?.() === 0
  if (!root && priority < 0) throw needsRoot('priority below 0')
  if (!root && chroot !== undefined) throw needsRoot('chroot')
  if (user === undefined || group === undefined) {
    if (wrapper !== undefined)
      throw new OptionError('option wrapper needs user and group, with which it is called')
    return undefined
  }
  if (!root && wrapper === undefined) throw needsRoot('user')
  return resolveIdentity(user, group)
}

function needsRoot(option: string): OptionError {
  return new OptionError(
    `option ${option} needs root; this process runs as user ${process.getuid?.() ?? 'unknown'}`,
  )
}

function checkChroot({ chroot = '', cwd, command: [program = ''], wrapper }: SpawnOptions): void {
  if (cwd !== undefined || wrapper !== undefined)
    throw new OptionError(
      'option chroot goes with neither cwd nor wrapper: it starts in the new root',
    )
  if (!program.startsWith('/'))
    throw new OptionError(
      `option command must be an absolute path inside of chroot; got ${program}`,
    )
  checkProgram(join(chroot, program), 'command')
}

function environment({ env = {}, copyEnv = ['PATH'] }: SpawnOptions): Record<string, string> {
  const all: Record<string, string> = {}
  for (const name of copyEnv) {
    const value = process.env[name]
    if (value !== undefined) all[name] = value
  }
  for (const [name, value] of Object.entries(env))
    if (value !== undefined) all[name] = String(value)
  return all
}

/** Where to look beyond PATH: users often have these not in theirs. */
const SYSTEM = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** A program by name or path. @throws OptionError that says what is wrong with it. */
export function findProgram(
  name: string,
  path: string | undefined = process.env.PATH,
  option: string = 'command',
): string {
  if (name.includes('/')) {
    const file = resolve(name)
    checkProgram(file, option)
    return file
  }
  const directories = (path ?? '').split(delimiter).filter((item) => item.startsWith('/'))
  const found = [...directories, ...SYSTEM].map((item) => join(item, name)).find(isProgram)
  if (found === undefined)
    throw new OptionError(`option ${option}: there is no program ${name} in PATH (${path ?? ''})`)
  return found
}

function findTool(name: string, option: string): string {
  const found = SYSTEM.map((item) => join(item, name)).find(isProgram)
  if (found === undefined)
    throw new OptionError(
      `option ${option} needs the program ${name}, which this system does not have (Debian: util-linux or coreutils)`,
    )
  return found
}

function checkProgram(file: string, option: string): void {
  const stats = statSync(file, { throwIfNoEntry: false })
  if (stats === undefined) throw new OptionError(`option ${option}: ${file} does not exist`)
  if (!stats.isFile()) throw new OptionError(`option ${option}: ${file} is no program`)
  if (!isProgram(file))
    throw new OptionError(`option ${option}: ${file} may not be executed by this user`)
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}
