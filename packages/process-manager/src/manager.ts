import { basename } from 'node:path'
import {
  Balancer,
  type DispatchControl,
  type DispatcherStats,
  type DispatchHandler,
  FastCGIClient,
  type FastCGIRequest,
  OverloadedError,
} from '@fastcgi/client'
import { consoleLogger, type ProcessEvent } from './log.ts'
import {
  checkManagerOptions,
  concurrencyOf,
  dynamicOptionsOf,
  type ProcessManagerOptions,
} from './options.ts'
import { AdaptivePolicy } from './policies/adaptive.ts'
import { DynamicGroup } from './policies/dynamic.ts'
import { StaticPolicy } from './policies/static.ts'
import { SocketPlace } from './sockets/socket-place.ts'
import { type Launch, resolveLaunch } from './spawning/spawn-options.ts'
import type { Fleet, Policy } from './supervision/policy.ts'
import type { ProcessSettings, ProcessState } from './supervision/process.ts'
import { StartThrottle } from './supervision/start-throttle.ts'
import { Supervisor } from './supervision/supervisor.ts'
import { UpdateWatch } from './supervision/update-watch.ts'

/** How one process of a manager fares. */
export interface ProcessFigures {
  readonly name: string
  readonly address: string
  readonly state: ProcessState
  readonly pid: number | undefined
  /** Requests under way. */
  readonly load: number
  /** Requests answered. */
  readonly served: number
  /** Times a child was started. */
  readonly starts: number
  /** Times a child ended by itself. */
  readonly died: number
  /** How the last child that did so ended. */
  readonly lastExit: string | undefined
}

/** Starts a FastCGI application and keeps it running. @throws OptionError */
export function createProcessManager(options: ProcessManagerOptions): ProcessManager {
  checkManagerOptions(options)
  return new ProcessManager(options)
}

/**
 * The processes of one application, as one dispatcher: they are started, replaced, made more and fewer, and ended with it.
 * Each has a listening socket of its own, and is given no more requests than it can serve; the others wait here, in order.
 */
export class ProcessManager extends FastCGIClient {
  readonly name: string
  readonly #balancer: Balancer
  readonly #supervisor: Supervisor
  readonly #update: UpdateWatch | undefined
  readonly #maxQueue: number
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
    this.#update = UpdateWatch.of(options.autoUpdate, launch.program)
    this.#supervisor = new Supervisor({
      name,
      balancer,
      place: new SocketPlace(name, options.listen, options.ipcDir, {
        backlog: options.listenQueueDepth ?? 100,
        mode: options.socketMode ?? 0o600,
      }),
      settings: processSettings(options, launch),
      gate: new StartThrottle({
        initStartDelay: options.initStartDelay ?? 100,
        restartDelay: options.restartDelay ?? 1000,
        maxRestartDelay: options.maxRestartDelay ?? 60_000,
      }),
      logger: options.logger ?? consoleLogger,
      minServerLife: options.minServerLife ?? 30_000,
      policy: (fleet) => createPolicy(options, fleet),
    })
  }

  /** How its processes fare. */
  get processes(): readonly ProcessFigures[] {
    return this.#supervisor.all.map((process) => ({
      name: process.name,
      address: process.address.name,
      state: process.state,
      pid: process.pid,
      load: process.load,
      served: process.served,
      starts: process.starts,
      died: process.died,
      lastExit: process.lastExit?.reason,
    }))
  }

  /** Calls `listener` for whatever happens to processes; returns a function that ends it. */
  onProcess(listener: (event: ProcessEvent) => void): () => void {
    return this.#supervisor.listen(listener)
  }

  /** Replaces all processes, one after the other, without losing a request. */
  restart(): Promise<void> {
    return this.#supervisor.restart()
  }

  protected override run(request: FastCGIRequest, handler: DispatchHandler): DispatchControl {
    this.#update?.look(performance.now(), (changed) => this.#supervisor.restartOlderThan(changed))
    if (this.#balancer.waiting.size < this.#maxQueue) return super.run(request, handler)
    this.#refused++
    const error = new OverloadedError(
      `${this.#maxQueue} requests are waiting for a process of ${this.name} already (option maxQueue)`,
    )
    process.nextTick(() => handler.onError(error, false))
    return { resume() {}, abort() {} }
  }

  override get stats(): DispatcherStats {
    const { requests, failed, ...stats } = super.stats
    return { ...stats, requests: requests + this.#refused, failed: failed + this.#refused }
  }

  /** Takes no more requests, finishes those it has, ends the processes. */
  override close(): Promise<void> {
    this.#closing ??= this.#balancer.close().then(() => this.#supervisor.end())
    return this.#closing
  }

  /** Fails the requests it has, and ends the processes. */
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
      const start = prepare?.(address)
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
