// Options of a process manager: their types, defaults and checks.
import { constants } from 'node:os'
import { type Address, OptionError, type PoolOptions } from '@fastcgi/client'
import {
  anyOf,
  type Check,
  type Checks,
  callable,
  checkOptions,
  flag,
  integer,
  listOf,
  milliseconds,
  oneOf,
  poolChecks,
  text,
} from '@fastcgi/client/internal'
import type { ProcessLogger } from './log.ts'
import { DynamicGroup } from './policies/dynamic.ts'
import { type DynamicOptions, dynamicChecks } from './policies/dynamic-rules.ts'
import { type SpawnOptions, spawnChecks } from './spawning/spawn-options.ts'

/** Policy for the number of processes. */
export type ManagerMode = 'static' | 'adaptive' | 'dynamic'

/** Additions to the command of a program that needs more than its listening socket on file descriptor 0. */
export interface Start {
  /** Arguments to append. */
  readonly args?: readonly string[] | undefined
  /** Environment variables to add. */
  readonly env?: Readonly<Record<string, string>> | undefined
  /** File descriptor on which it inherits its listening socket. @default 0 */
  readonly socketAt?: number | undefined
  /** Contents of files to write before the start, by absolute path. They get mode 0600 and are removed when it ends. */
  readonly files?: Readonly<Record<string, string>> | undefined
}

/** Options of {@link createProcessManager}. Times are in milliseconds. */
export interface ProcessManagerOptions extends SpawnOptions, Omit<DynamicOptions, 'restart'> {
  /** Name of the application in logs, on status pages and in socket paths. @default the base name of its program */
  name?: string | undefined
  /**
   * `'static'`: always `processes` (mod_fastcgi FastCgiServer). `'adaptive'`: `minProcesses` to `maxProcesses`, depending
   * on load (lighttpd). `'dynamic'`: on demand; several applications can share one maximum (mod_fastcgi FastCgiConfig).
   * @default 'static'
   */
  mode?: ManagerMode | undefined

  /** static: number of processes, 1 to 10000 (mod_fastcgi `-processes`). @default 1 */
  processes?: number | undefined
  /** adaptive: minimum, kept without requests too (lighttpd `min-procs`) @default 1; dynamic: see {@link DynamicOptions} @default 5 */
  minProcesses?: number | undefined
  /** adaptive: maximum (lighttpd `max-procs`) @default 4; dynamic: see {@link DynamicOptions} @default 50 */
  maxProcesses?: number | undefined
  /** adaptive: another process is started while there are more requests per process than this, queued ones included (lighttpd `max-load-per-proc`). @default 1 */
  maxLoadPerProcess?: number | undefined
  /** adaptive: a process without a request for this long is ended (lighttpd `idle-timeout`). @default 60000 */
  idleTimeout?: number | undefined
  /** dynamic: start a process that exited again at once, instead of on demand (mod_fastcgi `-restart`). @default false */
  restart?: boolean | undefined
  /** dynamic: group of managers that share one maximum; the dynamic options are then given to the group. @default a group of its own */
  dynamicGroup?: DynamicGroup | undefined

  /** Requests that a process serves at a time, 1 to 65535. @default PHP_FCGI_CHILDREN if `env` has it, else 1 */
  concurrency?: number | undefined
  /** Maximum number of requests that wait for a process; further ones fail at once with OverloadedError. @default 1024 */
  maxQueue?: number | undefined
  /** How long a request waits for a process; 0: it does not wait. @default 30000 */
  timeout?: number | undefined
  /** Reuse connections, see PoolOptions. Useful for programs that serve several connections at a time. @default false */
  reuse?: PoolOptions['reuse']
  /** Maximum size of a response head in bytes. @default 65536 */
  maxHeadSize?: number | undefined
  /** Timeouts of connections, see PoolOptions. A process of concurrency 1 that exceeds one is killed (mod_fastcgi `-idle-timeout`). */
  timeouts?: PoolOptions['timeouts']

  /**
   * Base of the listening addresses: `'unix:/run/app.sock'` gives `/run/app.sock-0`, `-1` …; `'127.0.0.1:9000'` gives port
   * 9000, 9001 … (lighttpd `socket`, `host`, `port`).
   * @default sockets in `ipcDir`
   */
  listen?: string | undefined
  /** Directory of the sockets, created with mode 0700 if missing (mod_fastcgi FastCgiIpcDir). @default a temporary directory, removed on close */
  ipcDir?: string | undefined
  /** File mode of the unix sockets. @default 0o600 */
  socketMode?: number | undefined
  /** Backlog of each listening socket, see listen(2) (mod_fastcgi `-listen-queue-depth`). @default 100 */
  listenQueueDepth?: number | undefined

  /** Minimum time between two starts (mod_fastcgi `-init-start-delay`, 1000). @default 100 */
  initStartDelay?: number | undefined
  /** Delay after a failed start; doubles with each consecutive failure; processes that end together are one (mod_fastcgi `-restart-delay`, 5000). @default 1000 */
  restartDelay?: number | undefined
  /** Upper bound of that delay. @default 60000 */
  maxRestartDelay?: number | undefined
  /** A process that exits sooner than this, without having answered a request, counts as a failed start (mod_fastcgi `-min-server-life`). @default 30000 */
  minServerLife?: number | undefined
  /** Signal that tells a process to end (lighttpd `kill-signal`). @default 'SIGTERM' */
  killSignal?: NodeJS.Signals | undefined
  /** Time from that signal to SIGKILL, which is sent to its whole process group, background jobs included. @default 5000 */
  killTimeout?: number | undefined
  /** How long requests may still run before that signal, and after `close()`; then they fail. 0: no limit. @default 30000 */
  drainTimeout?: number | undefined
  /** Signal on which the program reloads itself without losing a request; `restart()` then sends it. @default none: the process is ended and started again */
  reloadSignal?: NodeJS.Signals | undefined
  /** Restart the processes, one by one, when the program file (true) or one of the given files has changed (mod_fastcgi `-autoUpdate`). @default false */
  autoUpdate?: boolean | readonly string[] | undefined

  /**
   * Logger of starts, exits and output of the processes, called as pino is; Fastify's `app.log` fits. False for none.
   * @default stderr
   */
  logger?: ProcessLogger | false | undefined
  /** Called before every start with the address of the listening socket; returns additions to the command. */
  prepare?: ((address: Address) => Start) | undefined
}

const signal: Check = (value) =>
  typeof value === 'string' && Object.hasOwn(constants.signals, value)
    ? undefined
    : "the name of a signal, such as 'SIGTERM'"

const checks: Checks = {
  ...spawnChecks,
  ...dynamicChecks,
  name: (value) =>
    typeof value === 'string' && /^[\w.@+-]{1,64}$/.test(value)
      ? undefined
      : 'a name of letters, digits and . _ - + @, 64 at most',
  mode: oneOf('static', 'adaptive', 'dynamic'),
  processes: integer(1, 10_000),
  maxLoadPerProcess: (value) =>
    typeof value === 'number' && value > 0 ? undefined : 'a number greater than 0',
  idleTimeout: integer(1),
  dynamicGroup: (value) => (value instanceof DynamicGroup ? undefined : 'a DynamicGroup'),
  concurrency: integer(1, 65_535),
  maxQueue: integer(0),
  timeout: milliseconds,
  reuse: poolChecks.reuse as Check,
  maxHeadSize: poolChecks.maxHeadSize as Check,
  timeouts: poolChecks.timeouts as Check,
  listen: text,
  ipcDir: text,
  socketMode: integer(0, 0o777),
  listenQueueDepth: integer(1, 65_535),
  initStartDelay: milliseconds,
  restartDelay: milliseconds,
  maxRestartDelay: milliseconds,
  minServerLife: milliseconds,
  killSignal: signal,
  killTimeout: milliseconds,
  drainTimeout: milliseconds,
  reloadSignal: signal,
  autoUpdate: anyOf(flag, listOf(text)),
  logger: (value) =>
    value === false || typeof (value as ProcessLogger | null)?.info === 'function'
      ? undefined
      : 'a logger with the methods info, warn and error, called as those of pino, or false',
  prepare: callable,
}

/** The modes in which an option is valid; options that are not listed are valid in all of them. */
const MODES: Readonly<Record<string, readonly ManagerMode[]>> = {
  processes: ['static'],
  maxLoadPerProcess: ['adaptive'],
  idleTimeout: ['adaptive'],
  minProcesses: ['adaptive', 'dynamic'],
  maxProcesses: ['adaptive', 'dynamic'],
  dynamicGroup: ['dynamic'],
  ...Object.fromEntries(
    Object.keys(dynamicChecks)
      .filter((name) => !['minProcesses', 'maxProcesses'].includes(name))
      .map((name) => [name, ['dynamic'] as const]),
  ),
}

/** Checks the options of `createProcessManager`. @throws OptionError that names the option. */
export function checkManagerOptions(options: ProcessManagerOptions): void {
  checkOptions('process manager', options, checks)
  if (options.command === undefined)
    throw new OptionError("process manager: option command is missing, such as ['php-cgi']")
  const { mode = 'static', listen, ipcDir, dynamicGroup } = options
  for (const [name, value] of Object.entries(options)) {
    const modes = MODES[name]
    if (value === undefined || modes === undefined) continue
    if (!modes.includes(mode))
      throw new OptionError(
        `process manager: option ${name} is one of mode ${modes.join(' or ')}; here it is ${mode} (option mode)`,
      )
    if (dynamicGroup !== undefined && Object.hasOwn(dynamicChecks, name))
      throw new OptionError(
        `process manager: option ${name} is to be given to the group (option dynamicGroup)`,
      )
  }
  if (listen !== undefined && ipcDir !== undefined)
    throw new OptionError('process manager: options listen and ipcDir exclude each other')
  const { minProcesses = 1, maxProcesses = 4 } = options
  if (mode === 'adaptive' && (minProcesses > maxProcesses || maxProcesses === 0))
    throw new OptionError(
      `process manager: option minProcesses (${minProcesses}) must not be over maxProcesses (${maxProcesses})`,
    )
}

/** Picks the options of mode dynamic. */
export function dynamicOptionsOf(options: ProcessManagerOptions): DynamicOptions {
  return Object.fromEntries(
    Object.entries(options).filter(([name]) => Object.hasOwn(dynamicChecks, name)),
  )
}

/** Requests that a process serves at a time: option `concurrency`, else PHP_FCGI_CHILDREN, else 1. */
export function concurrencyOf({ concurrency, env }: ProcessManagerOptions): number {
  const children = Number(env?.PHP_FCGI_CHILDREN ?? 0)
  return concurrency ?? (Number.isInteger(children) && children > 0 ? children : 1)
}
