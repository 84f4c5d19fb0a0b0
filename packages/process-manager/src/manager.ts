// The public process manager: a Balancer whose members are the processes that a Supervisor starts and ends.
import { basename } from 'node:path'
import {
  type Address,
  Balancer,
  ClosedError,
  type DispatchControl,
  type DispatcherEvent,
  type DispatcherStats,
  type DispatchHandler,
  FastCGIClient,
  type FastCGIRequest,
  OverloadedError,
  type ProcessFigures,
} from '@fastcgi/client'
import { containedLogger, tellError } from '@fastcgi/client/internal'
import type { ProcessEvent } from './log.ts'
import {
  checkManagerOptions,
  concurrencyOf,
  dynamicOptionsOf,
  type ProcessManagerOptions,
  type Start,
} from './options.ts'
import { AdaptivePolicy } from './policies/adaptive.ts'
import { DynamicGroup } from './policies/dynamic.ts'
import { StaticPolicy } from './policies/static.ts'
import { ListenSockets } from './sockets/listen-sockets.ts'
import { type Launch, resolveLaunch } from './spawning/spawn-options.ts'
import type { Fleet, Policy } from './supervision/policy.ts'
import type { ProcessSettings } from './supervision/process-settings.ts'
import { StartThrottle } from './supervision/start-throttle.ts'
import { Supervisor } from './supervision/supervisor.ts'
import { UpdateWatch } from './supervision/update-watch.ts'

/** Kinds of events that the balancer of the processes adds to those of the processes. */
const OF_REQUESTS: ReadonlySet<string> = new Set(['error', 'aborted', 'failing', 'back'])

/**
 * Starts a FastCGI application and keeps it running. @throws OptionError for an unknown or invalid option, and for a
 * program, directory or user that does not exist.
 * @example
 * ```js
 * import { createProcessManager } from '@fastcgi/process-manager'
 *
 * const manager = createProcessManager({ command: ['php-cgi'], processes: 2 })
 * const params = { SCRIPT_FILENAME: '/var/www/site/hello.php', REQUEST_METHOD: 'GET' }
 * const response = await manager.request({ params: { ...params, REDIRECT_STATUS: '200' } })
 * console.log(await response.text()) // Hello world
 * await manager.close()
 * ```
 */
export function createProcessManager(options: ProcessManagerOptions): ProcessManager {
  checkManagerOptions(options)
  return new ProcessManager(options)
}

/**
 * The processes of one application as one dispatcher. It starts and replaces processes, adjusts their number, and ends
 * them when it is closed. Each process has its own listening socket and is given at most `concurrency` requests at a
 * time; further requests wait in one queue, in order of arrival.
 */
export class ProcessManager extends FastCGIClient {
  /** Name of the application (option `name`). */
  readonly name: string
  readonly #balancer: Balancer
  readonly #supervisor: Supervisor
  readonly #update: UpdateWatch | undefined
  readonly #maxQueue: number
  readonly #drainTimeout: number
  #closing: Promise<void> | undefined
  #refused = 0

  /** Use {@link createProcessManager}. @internal */
  constructor(options: ProcessManagerOptions) {
    const launch = resolveLaunch(options)
    const name = options.name ?? basename(launch.program).replaceAll(/[^\w.-]/g, '_')
    const timeout = options.timeout ?? 30_000
    const balancer = new Balancer({ name, members: [], method: 'first', timeout })
    super(balancer)
    this.name = name
    this.#balancer = balancer
    this.#maxQueue = options.maxQueue ?? 1024
    const settings = processSettings(options, launch)
    this.#drainTimeout = settings.drainTimeout
    const { restartDelay = 1000 } = options
    this.#update = UpdateWatch.of(options.autoUpdate, launch.program)
    this.#supervisor = new Supervisor({
      name,
      balancer,
      sockets: new ListenSockets(name, options.listen, options.ipcDir, {
        backlog: options.listenQueueDepth ?? 100,
        mode: options.socketMode ?? 0o600,
      }),
      settings,
      throttle: new StartThrottle({
        initStartDelay: options.initStartDelay ?? 100,
        restartDelay,
        maxRestartDelay: options.maxRestartDelay ?? 60_000,
      }),
      logger: containedLogger(options.logger),
      minServerLife: options.minServerLife ?? 30_000,
      restartDelay,
      policy: (fleet) => createPolicy(options, fleet),
    })
  }

  /** State and counters of every process. */
  override get processes(): readonly ProcessFigures[] {
    const now = performance.now()
    return this.#supervisor.processes.map((process) => ({
      name: process.name,
      address: process.address.name,
      state: process.state,
      pid: process.pid,
      age: process.pid === undefined ? undefined : now - process.startedAt,
      load: process.load,
      served: process.served,
      starts: process.starts,
      died: process.died,
      lastExit: process.lastExit?.reason,
    }))
  }

  /** What has happened to the processes and their requests lately. */
  override get events(): readonly DispatcherEvent[] {
    const ofRequests = this.#balancer.events.filter(({ kind }) => OF_REQUESTS.has(kind))
    return [...this.#supervisor.events, ...ofRequests]
  }

  /** Calls `listener` for every {@link ProcessEvent}; returns a function that unsubscribes it. */
  onProcess(listener: (event: ProcessEvent) => void): () => void {
    return this.#supervisor.listen(listener)
  }

  /**
   * Replaces all processes, one after the other, without losing a request; with `reloadSignal`, sends that signal instead.
   */
  restart(): Promise<void> {
    return this.#supervisor.restart()
  }

  protected override run(request: FastCGIRequest, handler: DispatchHandler): DispatchControl {
    void this.#update?.check(performance.now(), () => this.#supervisor.programChanged())
    if (this.#balancer.waiting.size < this.#maxQueue) return super.run(request, handler)
    this.#refused++
    const error = new OverloadedError(
      `${this.#maxQueue} requests are already waiting for a process of ${this.name}, the maximum (option maxQueue)`,
    )
    process.nextTick(() => tellError(handler, error, true))
    return { resume() {}, abort() {} }
  }

  override get stats(): DispatcherStats {
    const { requests, failed, ...stats } = super.stats
    return { ...stats, requests: requests + this.#refused, failed: failed + this.#refused }
  }

  /**
   * Accepts no more requests, finishes the accepted ones, then ends the processes. Requests that still run after
   * `drainTimeout` fail.
   */
  override close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    const limit = this.#drainTimeout
    const expired = (): void => {
      const message = `${this.name} is closed, and the request took longer than ${limit} ms (option drainTimeout)`
      void this.#balancer.destroy(new ClosedError(message))
    }
    const timer = limit === 0 ? undefined : setTimeout(expired, limit)
    await this.#balancer.close()
    clearTimeout(timer)
    await this.#supervisor.end()
  }

  /** Fails all accepted requests with `error`, then ends the processes. */
  override async destroy(error?: Error): Promise<void> {
    await this.#balancer.destroy(error)
    await this.close()
  }
}

function createPolicy(options: ProcessManagerOptions, fleet: Fleet): Policy {
  const { mode = 'static', processes = 1, minProcesses = 1, maxProcesses = 4 } = options
  if (mode === 'static') return new StaticPolicy(fleet, processes)
  if (mode === 'dynamic')
    return (options.dynamicGroup ?? new DynamicGroup(dynamicOptionsOf(options))).join(fleet)
  return new AdaptivePolicy(fleet, {
    minProcesses,
    maxProcesses,
    maxLoadPerProcess: options.maxLoadPerProcess ?? 1,
    idleTimeout: options.idleTimeout ?? 60_000,
  })
}

function processSettings(options: ProcessManagerOptions, launch: Launch): ProcessSettings {
  const { reuse = false, maxHeadSize, timeouts, prepare } = options
  const { program, file, args, cwd } = launch
  return {
    command: (address) => {
      const start = prepare === undefined ? undefined : callPrepare(prepare, address)
      const addresses = address.kind === 'tcp' ? { FCGI_WEB_SERVER_ADDRS: address.host } : {}
      return {
        program,
        file,
        args: [...args, ...(start?.args ?? [])],
        env: { ...addresses, ...launch.env, ...start?.env },
        cwd,
        socketAt: start?.socketAt ?? 0,
        files: start?.files ?? {},
      }
    },
    pool: { reuse, maxHeadSize, timeouts },
    concurrency: concurrencyOf(options),
    killSignal: options.killSignal ?? 'SIGTERM',
    killTimeout: options.killTimeout ?? 5000,
    drainTimeout: options.drainTimeout ?? 30_000,
    reloadSignal: options.reloadSignal,
  }
}

function callPrepare(prepare: (address: Address) => Start, address: Address): Start {
  try {
    return prepare(address)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new Error(`could not be started: option prepare threw: ${message}`, { cause: error })
  }
}
