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

/** Who decides how many processes there are. */
export type ManagerMode = 'static' | 'adaptive' | 'dynamic'

/** What a program that needs more than a socket as its standard input is started with. */
export interface Start {
  /** More arguments. */
  readonly args?: readonly string[] | undefined
  /** More variables. */
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Descriptor under which it gets its listening socket. @default 0 */
  readonly socketAt?: number | undefined
  /** Files it reads, by absolute path; nobody else can, and they are removed when it ends. */
  readonly files?: Readonly<Record<string, string>> | undefined
}

/** Options of {@link createProcessManager}. Times are in milliseconds. */
export interface ProcessManagerOptions extends SpawnOptions, Omit<DynamicOptions, 'restart'> {
  /** What the application is called in logs and on status pages. @default the name of its program */
  name?: string | undefined
  /**
   * `'static'`: `processes`, always (mod_fastcgi FastCgiServer). `'adaptive'`: `minProcesses` to `maxProcesses`, as there
   * is load (lighttpd). `'dynamic'`: on demand, several applications under one total (mod_fastcgi FastCgiConfig).
   * @default 'static'
   */
  mode?: ManagerMode | undefined

  /** static: how many. @default 1 */
  processes?: number | undefined
  /** adaptive: the fewest, also without requests @default 1; dynamic: see {@link DynamicOptions} @default 5 */
  minProcesses?: number | undefined
  /** adaptive: the most @default 4; dynamic: see {@link DynamicOptions} @default 50 */
  maxProcesses?: number | undefined
  /** adaptive: requests for each process, waiting ones included, beyond which another one is started. @default 1 */
  maxLoadPerProcess?: number | undefined
  /** adaptive: a process that has had nothing to do for so long is ended. @default 60000 */
  idleTimeout?: number | undefined
  /** dynamic: processes that end by themselves are started again, not only when there is demand. @default false */
  restart?: boolean | undefined
  /** dynamic: shares one total with other managers; its options are given there. @default a group of its own */
  dynamicGroup?: DynamicGroup | undefined

  /** Requests that a process is given at a time. @default PHP_FCGI_CHILDREN where `env` has it, else 1 */
  concurrency?: number | undefined
  /** Most requests that wait for a process; more fail at once. @default 1024 */
  maxQueue?: number | undefined
  /** How long a request waits for a process; 0 not at all. @default 30000 */
  timeout?: number | undefined
  /** Keep connections for further requests, see PoolOptions. For programs that serve several at a time. @default false */
  reuse?: PoolOptions['reuse']
  /** Most bytes of a response head. @default 65536 */
  maxHeadSize?: number | undefined
  /** When to give up on an application that does not move; a process of concurrency 1 is then killed. See PoolOptions. */
  timeouts?: PoolOptions['timeouts']

  /**
   * Base of the addresses: `'unix:/run/app.sock'` gives `/run/app.sock-0` and so on, `'127.0.0.1:9000'` port 9000 and on.
   * @default sockets in `ipcDir`
   */
  listen?: string | undefined
  /** Directory of the sockets, made with mode 0700 where it is not there (FastCgiIpcDir). @default one of its own, removed at the end */
  ipcDir?: string | undefined
  /** Mode of the sockets. @default 0o600 */
  socketMode?: number | undefined
  /** Connections that wait at a socket until the program takes them (mod_fastcgi `-listen-queue-depth`). @default 100 */
  listenQueueDepth?: number | undefined

  /** Between two starts. mod_fastcgi waits 1000. @default 100 */
  initStartDelay?: number | undefined
  /** After a failed start; doubles with each further one. mod_fastcgi waits 5000. @default 1000 */
  restartDelay?: number | undefined
  /** What the doubling ends at. @default 60000 */
  maxRestartDelay?: number | undefined
  /** A process that ends sooner, without having answered anything, is a failed start. @default 30000 */
  minServerLife?: number | undefined
  /** Asks a process to end (lighttpd `kill-signal`). @default 'SIGTERM' */
  killSignal?: NodeJS.Signals | undefined
  /** How long it may take; then it and whatever it has started are killed. @default 5000 */
  killTimeout?: number | undefined
  /** How long its requests may take when it is to end; then they fail. 0 for no limit. @default 30000 */
  drainTimeout?: number | undefined
  /** Asks a program to renew itself in place, without losing a request. @default it is ended and started again */
  reloadSignal?: NodeJS.Signals | undefined
  /** Restarts the processes, one by one, when the program has changed, or one of the files named here. @default false */
  autoUpdate?: boolean | readonly string[] | undefined

  /** Where starts, ends and output are reported: pino's shape, so Fastify's `app.log` fits. @default the console */
  logger?: ProcessLogger | undefined
  /** What the program is started with, once its socket is open. */
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
    typeof value === 'number' && value > 0 ? undefined : 'a number over 0',
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
    typeof (value as ProcessLogger | null)?.info === 'function'
      ? undefined
      : 'a logger as pino makes them',
  prepare: callable,
}

/** Modes an option belongs to, where it is not all of them. */
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

/** @throws OptionError */
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

/** The dynamic options among those of a manager. */
export function dynamicOptionsOf(options: ProcessManagerOptions): DynamicOptions {
  return Object.fromEntries(
    Object.entries(options).filter(([name]) => Object.hasOwn(dynamicChecks, name)),
  )
}

/** Requests a process is given at a time. */
export function concurrencyOf({ concurrency, env }: ProcessManagerOptions): number {
  const children = Number(env?.PHP_FCGI_CHILDREN ?? 0)
  return concurrency ?? (Number.isInteger(children) && children > 0 ? children : 1)
}
