import {
  type Address,
  type DispatchControl,
  type DispatcherStats,
  type DispatchHandler,
  type FastCGIRequest,
  Pool,
} from '@fastcgi/client'
import { BaseDispatcher } from '@fastcgi/client/internal'
import type { ListenSockets } from '../sockets/listen-sockets.ts'
import type { ParkedSocket } from '../sockets/parking.ts'
import { Child, type OutputStream } from '../spawning/child.ts'
import { describeExit, type Exit } from '../spawning/exit-reason.ts'
import { LoadMeter } from './load-meter.ts'
import type { ExitReport, ProcessSettings, ProcessState } from './process-settings.ts'
import { WatchedExchange } from './watched-exchange.ts'

/** Number of last output lines that are kept, for the error messages of a failed start. */
const MAX_OUTPUT_LINES = 5

/** Iterations of the event loop in which the losses of connections that a child had accepted are read after its exit. */
const POLLS_AFTER_EXIT = 3

/** Receives the events of a process. */
export interface ProcessOwner {
  /** Its state has changed. */
  onState(process: ManagedProcess): void
  /** A child was started. */
  onStarted(process: ManagedProcess): void
  /** A child exited without having been told to. The owner then calls respawn(), backOff() or retire(). */
  onExit(process: ManagedProcess, report: ExitReport): void
  /** Its current child has answered its first request. */
  onFirstResponse(process: ManagedProcess): void
  /** Its child wrote a line of output. */
  onLine(process: ManagedProcess, pid: number | undefined, stream: OutputStream, line: string): void
  /** A request exceeded a timeout; its child is killed next. */
  onHung(process: ManagedProcess): void
}

/**
 * One process of an application: a listening socket, and the child that currently serves it. The socket outlives its
 * children, so a connection that is made while a child is being replaced waits in the backlog instead of being refused.
 */
export class ManagedProcess extends BaseDispatcher {
  readonly name: string
  readonly number: number
  readonly address: Address
  /** Number of children started. */
  starts = 0
  /** Number of children that exited without having been told to. */
  died = 0
  /** Requests answered by all its children. */
  served = 0
  lastExit: ExitReport | undefined

  readonly #sockets: ListenSockets
  readonly #settings: ProcessSettings
  readonly #owner: ProcessOwner
  #state: ProcessState = 'opening'
  #refusing = false
  #pool: Pool
  #socket: ParkedSocket | undefined
  #child: Child | undefined
  #lastLines: string[] = []
  #servedByChild = 0
  #startedAt = 0
  readonly #meter = new LoadMeter()
  #opening: Promise<Error | undefined> | undefined
  #stopping: Promise<void> | undefined
  #retired: Promise<void> | undefined

  constructor(
    name: string,
    number: number,
    sockets: ListenSockets,
    settings: ProcessSettings,
    owner: ProcessOwner,
  ) {
    super()
    this.name = name
    this.number = number
    this.address = sockets.address(number)
    this.#sockets = sockets
    this.#settings = settings
    this.#owner = owner
    this.#pool = this.#newPool()
  }

  get state(): ProcessState {
    return this.#state
  }

  /** Process id of the running child. */
  get pid(): number | undefined {
    return this.#child?.running === true ? this.#child.pid : undefined
  }

  /** Requests that it is serving. */
  get load(): number {
    return this.#meter.load
  }

  /** When the current child was started or reloaded, in milliseconds of `performance.now()`. */
  get startedAt(): number {
    return this.#startedAt
  }

  /** Whether retire() has been called. */
  get retiring(): boolean {
    return this.#retired !== undefined
  }

  /** Since when it has had no request; undefined while it has one. */
  get idleSince(): number | undefined {
    const { idleSince } = this.#meter
    return idleSince === undefined ? undefined : Math.max(idleSince, this.#startedAt)
  }

  /** Total duration of its requests in milliseconds; concurrent requests add up. */
  busyTime(now: number): number {
    return this.#meter.busyTime(now)
  }

  /** Its last lines of output, joined. */
  get lastOutput(): string {
    return this.#lastLines.join(' | ')
  }

  // ---- life cycle

  /**
   * Opens its listening socket, unless it is open, and starts a child.
   * @param trial whether the child gets requests only after a moment, because earlier starts failed.
   */
  async start(trial: boolean): Promise<void> {
    this.#refusing = false
    this.#setState('opening')
    this.#opening = this.#open()
    const error = await this.#opening
    // retire() may have been called meanwhile.
    if (this.#state !== 'opening') return
    if (error !== undefined) this.#failed(error)
    else this.#spawn(trial ? 'trial' : 'running')
  }

  async #open(): Promise<Error | undefined> {
    if (this.#socket?.intact === true) return undefined
    await this.#closeSocket()
    try {
      this.#socket = await this.#sockets.open(this.number)
      return undefined
    } catch (error) {
      return error as Error
    }
  }

  /** Starts a child in place of one that exited. Connections in the backlog of the socket are kept. */
  respawn(): void {
    if (this.#socket?.intact === true)
      this.#spawn(this.#state === 'draining' ? 'draining' : 'running')
    else void this.start(false)
  }

  /** Ends the trial: the child has lived long enough to be given requests. */
  promote(): void {
    if (this.#state === 'trial') this.#setState('running')
  }

  /** Waits for start(). Closes the socket, which resets the connections in its backlog, since the next start may fail, too. */
  backOff(): void {
    this.#setState('backoff')
    void this.#refuseBacklog()
  }

  /**
   * Closes the listening socket, which resets the connections that no child has accepted. The kernel had closed those that
   * the child had accepted before it reported the exit; they are read first, so that the two kinds can be told apart.
   */
  async #refuseBacklog(): Promise<void> {
    for (let turn = 0; turn < POLLS_AFTER_EXIT; turn++) await new Promise(setImmediate)
    if (this.#state !== 'backoff') return
    this.#refusing = true
    await this.#closeSocket()
  }

  /** Whether connections that are lost now had not been accepted by any child. */
  get refusing(): boolean {
    return this.#refusing
  }

  /** Replaces its child without losing a request. Resolves when the new child is started, or the reload signal sent. */
  async restart(): Promise<void> {
    if (this.#state !== 'running' || this.#retired !== undefined) return
    const { reloadSignal } = this.#settings
    if (reloadSignal !== undefined) {
      this.#child?.signal(reloadSignal)
      this.#startedAt = performance.now()
      return
    }
    this.#stopping = this.#drainAndStop()
    await this.#stopping
    this.#stopping = undefined
    if (this.#retired === undefined) await this.start(false)
  }

  /** Ends the process for good, without losing a request. */
  retire(): Promise<void> {
    this.#retired ??= this.#retire()
    return this.#retired
  }

  async #retire(): Promise<void> {
    const stopping = this.#stopping ?? this.#drainAndStop()
    await stopping
    await this.#opening
    await this.#closeSocket()
    this.#setState('stopped')
  }

  /**
   * Stops taking requests, waits for the running ones, then signals the child. The order matters: libfcgi checks for
   * SIGTERM only between connections, and hangs in its accept loop if one is open and silent.
   */
  async #drainAndStop(): Promise<void> {
    this.#setState('draining')
    const { drainTimeout, killSignal, killTimeout } = this.#settings
    const drainTimer =
      drainTimeout === 0 ? undefined : setTimeout(() => void this.#pool.destroy(), drainTimeout)
    await this.#pool.close()
    clearTimeout(drainTimer)
    await this.#child?.stop(killSignal, killTimeout)
    this.#pool = this.#newPool()
  }

  #spawn(state: 'running' | 'trial' | 'draining'): void {
    const { command } = this.#settings
    this.starts++
    this.#servedByChild = 0
    this.#lastLines = []
    this.#startedAt = performance.now()
    const socket = this.#socket as ParkedSocket
    const child = new Child(command(this.address), socket.fd, (stream, line) => {
      this.#lastLines = [...this.#lastLines, line].slice(-MAX_OUTPUT_LINES)
      this.#owner.onLine(this, child.pid, stream, line)
    })
    this.#child = child
    child.exited.then((exit) => this.#exited(child, exit))
    this.#setState(state)
    if (child.pid !== undefined) this.#owner.onStarted(this)
  }

  #exited(child: Child, exit: Exit): void {
    // Requests that are queued at the socket have to be served before the process ends.
    if (this.#state === 'draining' && this.load > 0) {
      this.respawn()
      return
    }
    if (this.#state === 'draining' || this.#state === 'stopped') return
    const { program, cwd } = this.#settings.command(this.address)
    const served = this.#servedByChild
    this.died++
    this.lastExit = {
      pid: child.pid,
      exit,
      served,
      reason: describeExit(exit, { program, cwd, served }),
      lived: performance.now() - this.#startedAt,
    }
    this.#owner.onExit(this, this.lastExit)
  }

  #failed(error: NodeJS.ErrnoException): void {
    const exit: Exit = { code: null, signal: null, error }
    this.lastExit = { pid: undefined, exit, served: 0, reason: error.message, lived: 0 }
    this.#owner.onExit(this, this.lastExit)
  }

  /** Settles when the output of its last child has been read to the end, or after a short timeout. */
  get outputEnded(): Promise<void> {
    return this.#child?.outputEnded ?? Promise.resolve()
  }

  #setState(state: ProcessState): void {
    this.#state = state
    this.#owner.onState(this)
  }

  async #closeSocket(): Promise<void> {
    const socket = this.#socket
    this.#socket = undefined
    await socket?.close()
  }

  #newPool(): Pool {
    const { concurrency, pool } = this.#settings
    return new Pool(this.address, { ...pool, maxConnections: concurrency })
  }

  // ---- requests

  protected override run(request: FastCGIRequest, handler: DispatchHandler): DispatchControl {
    this.#meter.change(1)
    return this.#pool.dispatch(request, new WatchedExchange(this, handler))
  }

  onComplete(answered: boolean): void {
    this.#meter.change(-1)
    if (!answered) return
    this.served++
    this.#servedByChild++
    if (this.#servedByChild === 1) this.#owner.onFirstResponse(this)
  }

  /** Kills a child of concurrency 1 that exceeded a timeout, because the next request would wait for it as well. */
  onTimeout(): void {
    if (this.#settings.concurrency > 1 || this.pid === undefined) return
    this.#owner.onHung(this)
    this.#child?.kill()
  }

  override get stats(): DispatcherStats {
    return this.#pool.stats
  }

  override close(): Promise<void> {
    return this.retire()
  }

  override async destroy(error?: Error): Promise<void> {
    await this.#pool.destroy(error)
    await this.retire()
  }
}
