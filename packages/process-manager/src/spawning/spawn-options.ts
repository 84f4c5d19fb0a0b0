// How a program is started: options, their checks, and the command that they result in.
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

/** Resource limits by the option names of prlimit(1): one number for both the soft and the hard limit, or `[soft, hard]`. */
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

/** Options of how a program is started. */
export interface SpawnOptions {
  /** The program and its arguments; no shell is involved (lighttpd `bin-path`). A name without a slash is searched in PATH. */
  command: readonly string[]
  /** Environment variables; beside these it has only those of `copyEnv` (lighttpd `bin-environment`, mod_fastcgi `-initial-env`). @default {} */
  env?: Readonly<Record<string, string | number | undefined>> | undefined
  /** Names of environment variables that are copied from this process (lighttpd `bin-copy-environment`). @default ['PATH'] */
  copyEnv?: readonly string[] | undefined
  /** Working directory. @default the directory of the program; `/` with `chroot` */
  cwd?: string | undefined
  /** User it runs as, by name or number; needs root and `group` (spawn-fcgi `-u`, mod_fastcgi FastCgiSuexec). @default this process's */
  user?: string | number | undefined
  /** Group it runs as, by name or number; needs root and `user` (spawn-fcgi `-g`). @default this process's */
  group?: string | number | undefined
  /** File mode creation mask of the program. @default this process's */
  umask?: number | undefined
  /** Increment of its niceness, -20 to 19; below 0 needs root (mod_fastcgi `-priority`). @default 0 */
  priority?: number | undefined
  /** Directory that becomes its root directory; needs root. The program is then an absolute path in it (spawn-fcgi `-c`). */
  chroot?: string | undefined
  /** Resource limits, set with prlimit(1). @default inherited */
  limits?: ResourceLimits | undefined
  /** Program that is called as `wrapper user group name …` and starts the application (mod_fastcgi FastCgiWrapper). @default none */
  wrapper?: string | undefined
}

const idCheck: Check = anyOf(text, integer(0, 4_294_967_294))
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
  user: idCheck,
  group: idCheck,
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

/** The command, environment and directory that a program is started with. */
export interface Launch {
  /** Path of the program itself; `file` may be a tool that executes it. */
  readonly program: string
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly identity: Identity | undefined
}

/**
 * Turns the options into one command. Niceness, limits, umask, root directory and user are set by tools of the system, each
 * of which executes the next one in its own process, so that process id and file descriptors stay the same.
 * @throws OptionError for a program, directory, user or tool that does not exist.
 */
export function resolveLaunch(options: SpawnOptions): Launch {
  const env = environment(options)
  const identity = identityOf(options)
  const [name = '', ...args] = options.command
  const program = options.chroot === undefined ? findProgram(name, env.PATH) : name
  if (options.chroot !== undefined) checkChroot(options)
  const cwd = resolve(options.cwd ?? (options.chroot === undefined ? dirname(program) : '/'))
  if (statSync(cwd, { bigint: true, throwIfNoEntry: false })?.isDirectory() !== true)
    throw new OptionError(`option cwd: there is no directory ${cwd}`)
  const command = [
    ...launcherArguments(options, identity),
    ...programArguments(options, program, args),
  ]
  const [file = program, ...rest] = command
  return { program, file, args: rest, env, cwd, identity }
}

function programArguments(
  options: SpawnOptions,
  program: string,
  args: readonly string[],
): string[] {
  if (options.wrapper === undefined) return [program, ...args]
  const wrapper = findProgram(options.wrapper, undefined, 'wrapper')
  return [wrapper, String(options.user), String(options.group), basename(program), ...args]
}

function launcherArguments(options: SpawnOptions, identity: Identity | undefined): string[] {
  const { priority = 0, limits = {}, umask, chroot, wrapper } = options
  const args: string[] = []
  if (priority !== 0) args.push(findTool('nice', 'priority'), '-n', String(priority))
  const all = Object.entries(limits).filter(([, value]) => value !== undefined)
  if (all.length > 0) args.push(findTool('prlimit', 'limits'))
  for (const [name, value] of all)
    args.push(`--${name}=${typeof value === 'number' ? value : value.join(':')}`)
  if (umask !== undefined)
    args.push('/bin/sh', '-c', `umask ${umask.toString(8)} && exec "$@"`, 'fastcgi-umask')
  if (chroot !== undefined) {
    args.push(findTool('chroot', 'chroot'))
    if (identity !== undefined)
      args.push(`--userspec=${identity.uid}:${identity.gid}`, `--groups=${identity.groups}`)
    args.push(chroot)
  } else if (identity !== undefined && wrapper === undefined)
    args.push(
      findTool('setpriv', 'user'),
      `--reuid=${identity.uid}`,
      `--regid=${identity.gid}`,
      `--groups=${identity.groups}`,
    )
  return args
}

function identityOf(options: SpawnOptions): Identity | undefined {
  const { user, group, wrapper, priority = 0, chroot } = options
  if ((user === undefined) !== (group === undefined))
    throw new OptionError(
      `option ${user === undefined ? 'user' : 'group'} is missing: user and group go together; with one alone, the other would stay that of root`,
    )
  const root = process.getuid?.() === 0
  if (!root && priority < 0) throw needsRoot('priority below 0')
  if (!root && chroot !== undefined) throw needsRoot('chroot')
  if (user === undefined || group === undefined) {
    if (wrapper !== undefined)
      throw new OptionError(
        'option wrapper needs user and group, which are passed to it as arguments',
      )
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
      'option chroot goes with neither cwd nor wrapper: the program starts in the new root directory',
    )
  if (!program.startsWith('/'))
    throw new OptionError(
      `option command must be an absolute path inside the chroot directory; got ${program}`,
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

/** Directories to search after PATH: the PATH of a user often lacks the sbin ones. */
const SYSTEM_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** Finds a program by name or path. @throws OptionError if it does not exist or is not executable. */
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
  const found = [...directories, ...SYSTEM_PATH].map((item) => join(item, name)).find(isProgram)
  if (found === undefined)
    throw new OptionError(`option ${option}: there is no program ${name} in PATH (${path ?? ''})`)
  return found
}

function findTool(name: string, option: string): string {
  const found = SYSTEM_PATH.map((item) => join(item, name)).find(isProgram)
  if (found === undefined)
    throw new OptionError(
      `option ${option} needs the program ${name}, which is not installed (Debian: package util-linux or coreutils)`,
    )
  return found
}

function checkProgram(file: string, option: string): void {
  const stats = statSync(file, { bigint: true, throwIfNoEntry: false })
  if (stats === undefined) throw new OptionError(`option ${option}: ${file} does not exist`)
  if (!stats.isFile()) throw new OptionError(`option ${option}: ${file} is no program`)
  if (!isProgram(file))
    throw new OptionError(`option ${option}: ${file} may not be executed by this user`)
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file, { bigint: true }).isFile()
  } catch {
    return false
  }
}
