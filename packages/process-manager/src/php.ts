// Ready-made process manager options for php-cgi and php-fpm.
import type { Address } from '@fastcgi/client'
import { OptionError } from '@fastcgi/client'
import type { ProcessManagerOptions, Start } from './options.ts'

/** php.ini directives by name; passed as `-d name=value`, which overrides php.ini. */
export type PhpIni = Readonly<Record<string, string | number | boolean>>

/** Options of {@link phpCgi}. */
export interface PhpCgiOptions {
  /** Name or path of the program. @default 'php-cgi' */
  program?: string | undefined
  ini?: PhpIni | undefined
  /** Requests after which a process exits and is replaced (PHP_FCGI_MAX_REQUESTS). @default 500, as in PHP */
  maxRequests?: number | undefined
  /**
   * Children of each process, which accept from its socket (PHP_FCGI_CHILDREN): requests that it serves at a time. @default
   * none: one request at a time
   */
  children?: number | undefined
}

/**
 * Options for php-cgi processes, without php-fpm, that each serve one request at a time, or `children` of them:
 * `createProcessManager({ ...phpCgi(), processes: 4 })`.
 * @example
 * ```js
 * import { phpCgi } from '@fastcgi/process-manager'
 *
 * console.log(phpCgi({ program: 'php-cgi' }).command) // [ 'php-cgi'
 * ```
 */
export function phpCgi(options: PhpCgiOptions = {}): ProcessManagerOptions {
  const { program = 'php-cgi', ini = {}, maxRequests = 500, children } = options
  return {
    command: [program, ...iniArguments(ini)],
    env: { PHP_FCGI_MAX_REQUESTS: maxRequests, PHP_FCGI_CHILDREN: children },
  }
}

/** Options of {@link phpFpm}. */
export interface PhpFpmOptions {
  /** Name or path of the program. @default 'php-fpm' */
  program?: string | undefined
  /** Number of php-fpm children, and so of requests at a time (`pm.max_children`). @default 4 */
  children?: number | undefined
  /** Working directory of scripts (`chdir`). */
  root?: string | undefined
  ini?: PhpIni | undefined
  /** Requests after which a child is replaced; 0: never (`pm.max_requests`). @default 0 */
  maxRequests?: number | undefined
  /** User that scripts run as; required if this process is root (`user`). */
  user?: string | undefined
  /** Group that scripts run as (`group`). @default the primary group of `user` */
  group?: string | undefined
}

/**
 * Options for a private php-fpm with a generated configuration: `createProcessManager(phpFpm({ children: 8 }))`.
 * `restart()` sends SIGUSR2, php-fpm's graceful reload. @throws OptionError for a value that cannot stand in its
 * configuration, and for a missing `user` if this process is root.
 * @example
 * ```js
 * import { phpFpm } from '@fastcgi/process-manager'
 *
 * console.log(phpFpm({ user: 'www-data' }).reloadSignal) // SIGUSR2
 * ```
 */
export function phpFpm(options: PhpFpmOptions = {}): ProcessManagerOptions {
  const { program = 'php-fpm', children = 4, ini = {}, user } = options
  for (const [name, value] of Object.entries(options))
    if (typeof value === 'string' && /["\r\n\0]/.test(value))
      throw new OptionError(`phpFpm: option ${name} must not have a quote, a line end or NUL`)
  if (user === undefined && process.getuid?.() === 0)
    throw new OptionError('phpFpm: option user is missing: php-fpm does not run scripts as root')
  return {
    command: [program, '-F', '-O', ...iniArguments(ini)],
    name: 'php-fpm',
    processes: 1,
    concurrency: children,
    killSignal: 'SIGQUIT',
    reloadSignal: 'SIGUSR2',
    prepare: (address) => prepareFpm(address, options, children),
  }
}

/** Has php-fpm inherit the socket: FPM_SOCKETS maps the address of a pool to a file descriptor that is open already. */
function prepareFpm(address: Address, options: PhpFpmOptions, children: number): Start {
  if (address.kind !== 'unix')
    throw new OptionError('phpFpm: option listen must be the path of a unix socket, or be left out')
  const config = `${address.path}.conf`
  return {
    args: ['-y', config],
    env: { FPM_SOCKETS: `${address.path}=3` },
    socketAt: 3,
    files: { [config]: fpmConfiguration(address.path, options, children) },
  }
}

function fpmConfiguration(path: string, options: PhpFpmOptions, children: number): string {
  const { user, group, root, maxRequests = 0 } = options
  const lines = [
    '[global]',
    'error_log = /dev/null',
    'process_control_timeout = 10s',
    '[www]',
    `listen = "${path}"`,
    `listen.mode = 0600`,
    'pm = static',
    `pm.max_children = ${children}`,
    `pm.max_requests = ${maxRequests}`,
    'catch_workers_output = yes',
    'decorate_workers_output = no',
  ]
  if (user !== undefined) lines.push(`user = "${user}"`)
  if (group !== undefined) lines.push(`group = "${group}"`)
  if (root !== undefined) lines.push(`chdir = "${root}"`)
  return `${lines.join('\n')}\n`
}

function iniArguments(ini: PhpIni): string[] {
  return Object.entries(ini).flatMap(([name, value]) => ['-d', `${name}=${iniValue(value)}`])
}

function iniValue(value: string | number | boolean): string {
  return typeof value === 'boolean' ? String(Number(value)) : String(value)
}
