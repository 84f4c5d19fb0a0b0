import {
  type Address,
  type DispatchControl,
  type DispatcherStats,
  type DispatchHandler,
  type FastCGIRequest,
  Pool,
  type PoolOptions,
} from '@fastcgi/client'
import { BaseDispatcher } from '@fastcgi/client/internal'
import type { ParkedSocket } from '../sockets/parking.ts'
import type { SocketPlace } from '../sockets/socket-place.ts'
import { Child, type ChildCommand, type OutputStream } from '../spawning/child.ts'
import { describeExit, type Exit } from '../spawning/exit-reason.ts'
import { LoadMeter } from './load-meter.ts'
import { WatchedExchange } from './watched-exchange.ts'

/** Lines of output that are kept, to be told when somebody asks why it does not run. */
const KEPT_LINES = 5

/** How a process is, in a word. */
export type ProcessState =
  /** Its socket is being opened. */
  | 'opening'
  /** It takes requests. */
  | 'running'
  /** Its predecessors failed: it gets requests when it has lived for a moment. */
  | 'trial'
  /** It finishes what it has and then ends, to be started again or for good. */
  | 'draining'
  /** It failed and waits for the next try. */
  | 'backoff'
  /** It is gone. */
  | 'stopped'

/** How one child of a process ended. */
export interface ExitReport {
  readonly pid: number | undefined
  readonly exit: Exit
  /** In words. */
  readonly reason: string
  /** Requests it answered. */
  readonly served: number
  /** Milliseconds it lived. */
  readonly lived: number
}

/** What a process is made of. */
export interface ProcessSettings {
  /** What runs in it. */
  readonly command: (address: Address) => ChildCommand & { readonly program: string }
  /** How it is connected to. */
  readonly pool: PoolOptions
  /** Requests at a time. */
  readonly concurrency: number
  readonly killSignal: NodeJS.Signals
  /** Milliseconds. */
  readonly killTimeout: number
  /** Milliseconds; 0 for no limit. */
  readonly drainTimeout: number
  /** Asks the program to renew itself without losing anything, if it can. */
  readonly reloadSignal: NodeJS.Signals | undefined
}

/** Whom a process tells. */
export interface ProcessOwner {
  /** Whether it takes requests may have changed. */
  onState(process: ManagedProcess): void
  onStarted(process: ManagedProcess): void
  /** A child ended by itself. The owner says what becomes of the process: respawn, backOff or retire. */
  onExit(process: ManagedProcess, report: ExitReport): void
  /** It has answered a request, its first one since it was started. */
  onServes(process: ManagedProcess): void
  onLine(process: ManagedProcess, pid: number | undefined, stream: OutputStream, line: string): void
  /** It was killed, because it did not answer in time. */
  onHung(process: ManagedProcess): void
}

/**
 * One process of an application, as seen from outside: a listening socket and the child that serves it. Children come and
 * go, the socket stays, so that nobody is refused meanwhile.
 */
export class ManagedProcess extends BaseDispatcher {
  readonly name: string
  readonly number: number
  readonly address: Address
  /** Children started so far. */
  starts = 0
  /** Children that ended by themselves. */
  died = 0
  /** Requests answered, by all its children. */
  served = 0
  lastExit: ExitReport | undefined

  readonly #place: SocketPlace
  readonly #settings: ProcessSettings
  readonly #owner: ProcessOwner
  #state: ProcessState = 'opening'
  #pool: Pool
  #socket: ParkedSocket | undefined
  #child: Child | undefined
  #lastLines: string[] = []
  #servedByChild = 0
  #startedAt = 0
  readonly #meter = new LoadMeter()
  #opening: Promise<Error | undefined> | undefined
  #ending: Promise<void> | undefined
  #retired: Promise<void> | undefined

  constructor(
    name: string,
    number: number,
    place: SocketPlace,
    settings: ProcessSettings,
    owner: ProcessOwner,
  ) {
    super()
    this.name = name
    this.number = number
    this.address = place.address(number)
    this.#place = place
    this.#settings = settings
    this.#owner = owner
    this.#pool = this.#newPool()
  }

  get state(): ProcessState {
    return this.#state
  }

  /** Of the child that runs now. */
  get pid(): number | undefined {
    return this.#child?.running === true ? this.#child.pid : undefined
  }

  /** Requests it has now. */
  get load(): number {
    return this.#meter.load
  }

  /** When the child that runs now was started, as of performance.now(). */
  get startedAt(): number {
    return this.#startedAt
  }

  /** Whether it is on its way out for good. */
  get leaving(): boolean {
    return this.#retired !== undefined
  }

  /** Since when it has had nothing to do; undefined while it has. */
  get idleSince(): number | undefined {
    const { idleSince } = this.#meter
    return idleSince === undefined ? undefined : Math.max(idleSince, this.#startedAt)
  }

  /** Milliseconds it has spent with requests since it was made; two at a time count twice. */
  busyTime(now: number): number {
    return this.#meter.busyTime(now)
  }

  /** Its last lines of output. */
  get lastWords(): string {
    return this.#lastLines.join(' | ')
  }

  // ---- its life

  /** Opens its socket, unless it is, and starts a child. */
  async start(trial: boolean): Promise<void> {
    this.#set('opening')
    this.#opening = this.#open()
    const error = await this.#opening
    // It could be retired while it was waiting.
    if (this.#state !== 'opening') return
    if (error !== undefined) this.#failed(error)
    else this.#spawn(trial ? 'trial' : 'running')
  }

  async #open(): Promise<Error | undefined> {
    if (this.#socket?.intact === true) return undefined
    await this.#closeSocket()
    try {
      this.#socket = await this.#place.open(this.number)
      return undefined
    } catch (error) {
      return error as Error
    }
  }

  /** Puts another child in the place of one that ended: who waits at the socket does not notice. */
  respawn(): void {
    if (this.#socket?.intact === true)
      this.#spawn(this.#state === 'draining' ? 'draining' : 'running')
    else void this.start(false)
  }

  /** It has lived long enough to be given requests. */
  promote(): void {
    if (this.#state === 'trial') this.#set('running')
  }

  /** Takes it out until it is started again. Who waits at its socket is refused: nobody might ever come. */
  backOff(): void {
    this.#set('backoff')
    void this.#closeSocket()
  }

  /** Replaces its child, without losing a request. Resolves when the new one is started. */
  async restart(): Promise<void> {
    if (this.#state !== 'running' || this.#retired !== undefined) return
    const { reloadSignal } = this.#settings
    if (reloadSignal !== undefined) {
      this.#child?.signal(reloadSignal)
      this.#startedAt = performance.now()
      return
    }
    this.#ending = this.#end()
    await this.#ending
    this.#ending = undefined
    if (this.#retired === undefined) await this.start(false)
  }

  /** Ends it for good, without losing a request. */
  retire(): Promise<void> {
    this.#retired ??= this.#leave()
    return this.#retired
  }

  async #leave(): Promise<void> {
    const ending = this.#ending ?? this.#end()
    await ending
    await this.#opening
    await this.#closeSocket()
    this.#set('stopped')
  }

  /** Nothing new, what runs to its end, then the signal: in this order, or libfcgi may hang in its loop. */
  async #end(): Promise<void> {
    this.#set('draining')
    const { drainTimeout, killSignal, killTimeout } = this.#settings
    const late =
      drainTimeout === 0 ? undefined : setTimeout(() => void this.#pool.destroy(), drainTimeout)
    await this.#pool.close()
    clearTimeout(late)
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
      this.#lastLines = [...this.#lastLines, line].slice(-KEPT_LINES)
      this.#owner.onLine(this, child.pid, stream, line)
    })
    this.#child = child
    child.exited.then((exit) => this.#exited(child, exit))
    this.#set(state)
    if (child.pid !== undefined) this.#owner.onStarted(this)
  }

  #exited(child: Child, exit: Exit): void {
    // Who waits at its socket, or is on the way there, is to be served before the end.
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

  /** Settles when its last child's output is complete, or nearly so. */
  get silent(): Promise<void> {
    return this.#child?.silent ?? Promise.resolve()
  }

  #set(state: ProcessState): void {
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

  /** A request of its is over. */
  onOver(answered: boolean): void {
    this.#meter.change(-1)
    if (!answered) return
    this.served++
    this.#servedByChild++
    if (this.#servedByChild === 1) this.#owner.onServes(this)
  }

  /** A request got no answer in time. A process that does nothing else would keep the next one waiting, too. */
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
