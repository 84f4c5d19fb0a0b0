import {
  type Address,
  type DispatchControl,
  type DispatcherStats,
  type DispatchHandler,
  type FastCGIRequest,
  Pool,
  type ProcessState,
} from '@fastcgi/client'
import { BaseDispatcher } from '@fastcgi/client/internal'
import type { ListenSockets } from '../sockets/listen-sockets.ts'
import { Child, type ChildCommand } from '../spawning/child.ts'
import type { Exit } from '../spawning/exit-reason.ts'
import { drainAndStop } from './drain.ts'
import { type ExitReport, reportExit, reportNoStart } from './exit-report.ts'
import { LoadMeter } from './load-meter.ts'
import { OutputTail } from './output-tail.ts'
import type { ProcessOwner } from './process-owner.ts'
import type { ProcessSettings } from './process-settings.ts'
import { ProcessSocket } from './process-socket.ts'
import { type Ending, WatchedExchange } from './watched-exchange.ts'

/** Iterations of the event loop in which the losses of connections that a child had accepted are read after its exit. */
const POLLS_AFTER_EXIT = 3

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
  /** Whether connections that are lost now had not been accepted by any child. */
  refusing = false
  /** Whether it may still be running a script whose request was aborted, so that the next request would wait. */
  abandoned = false
  /** The last output of its current or last child. */
  output: OutputTail = new OutputTail()

  readonly #socket: ProcessSocket
  readonly #settings: ProcessSettings
  readonly #owner: ProcessOwner<ManagedProcess>
  #state: ProcessState = 'opening'
  #pool: Pool
  #child: Child | undefined
  #servedByChild = 0
  #startedAt = 0
  #endsDescendants = false
  readonly #meter = new LoadMeter()
  /** Children that finish their requests on a socket whose name has been removed. */
  readonly #leaving = new Map<Child, Promise<void>>()
  #opening: Promise<Error | undefined> | undefined
  #stopping: Promise<void> | undefined
  #retired: Promise<void> | undefined

  constructor(
    name: string,
    number: number,
    sockets: ListenSockets,
    settings: ProcessSettings,
    owner: ProcessOwner<ManagedProcess>,
  ) {
    super()
    this.name = name
    this.number = number
    this.address = sockets.address(number)
    this.#socket = new ProcessSocket(sockets, number)
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

  // ---- life cycle

  /**
   * Opens its listening socket, unless it is open, and starts a child.
   * @param trial whether the child gets requests only after a moment, because earlier starts failed.
   */
  async start(trial: boolean): Promise<void> {
    this.refusing = false
    this.#startedAt = performance.now()
    this.output = new OutputTail()
    this.#setState('opening')
    this.#opening = this.#socket.ensure()
    const error = await this.#opening
    // retire() may have been called meanwhile.
    if (this.#state !== 'opening') return
    if (error !== undefined) this.#failed(error)
    else this.#spawn(trial ? 'trial' : 'running')
  }

  /**
   * Opens a new socket and starts a child for it if the name of its socket has been removed, by a cleaner of /tmp for
   * instance, or replaced. The current child finishes the requests that it has.
   */
  renewSocket(): void {
    const [child, pool] = [this.#child, this.#pool]
    if (this.#state !== 'running' || this.#retired !== undefined || child?.running !== true) return
    if (!this.#socket.open || this.#socket.intact) return
    this.#owner.onSocketLost(this)
    child.keepFiles()
    this.#child = undefined
    this.#pool = this.#newPool()
    // Not killSignal: php-fpm would remove the name of the socket, which is that of the new one, when it ends.
    const stopped = drainAndStop(pool, () => child, { ...this.#settings, killSignal: 'SIGKILL' })
    const left = stopped.finally(() => this.#leaving.delete(child))
    this.#leaving.set(child, left)
    void this.start(false)
  }

  /** Starts a child in place of one that exited. Connections in the backlog of the socket are kept. */
  respawn(): void {
    if (this.#socket.intact) this.#spawn('running')
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
    // The errors of the requests that are refused tell its last output.
    await this.outputEnded
    if (this.#state !== 'backoff') return
    this.refusing = true
    await this.#socket.close()
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

  /**
   * Ends the process for good, without losing a request.
   * @param descendants whether the descendants of its child end with it; else background jobs of pages are left alone.
   */
  retire(descendants: 'end' | 'stay'): Promise<void> {
    if (descendants === 'end') {
      this.#endsDescendants = true
      for (const child of [this.#child, ...this.#leaving.keys()])
        if (child !== undefined) child.endsDescendants = true
    }
    this.#retired ??= this.#retire()
    return this.#retired
  }

  async #retire(): Promise<void> {
    await (this.#stopping ?? this.#drainAndStop())
    await this.#opening
    await Promise.all(this.#leaving.values())
    await this.#socket.close()
    this.#setState('stopped')
  }

  async #drainAndStop(): Promise<void> {
    this.#setState('draining')
    await drainAndStop(this.#pool, () => this.#child, this.#settings)
    this.#pool = this.#newPool()
  }

  #spawn(state: 'running' | 'trial' | 'draining'): void {
    this.#startedAt = performance.now()
    this.#servedByChild = 0
    let command: ChildCommand
    try {
      command = this.#settings.command(this.address)
    } catch (error) {
      this.#failed(error as Error)
      return
    }
    this.starts++
    const child = this.#newChild(command)
    child.exited.then((exit) => this.#exited(child, command, exit))
    this.#child = child
    this.abandoned = false
    this.#setState(state)
    if (child.pid !== undefined) this.#owner.onStarted(this)
  }

  #newChild(command: ChildCommand): Child {
    const output = new OutputTail()
    this.output = output
    const child = new Child(command, this.#socket.fd, {
      onLine: (stream, line) => {
        output.add(line)
        this.#owner.onLine(this, child.pid, stream, line)
      },
      onAcceptorsLeft: () => {
        if (child === this.#child && this.#state === 'running') this.#setState('opening')
      },
    })
    child.endsDescendants = this.#endsDescendants
    return child
  }

  #exited(child: Child, command: ChildCommand, exit: Exit): void {
    // renewSocket() has replaced it.
    if (this.#child !== child) return
    // Requests that are queued at the socket have to be served before the process ends.
    if (this.#state === 'draining' && this.load > 0) {
      if (exit.error === undefined && this.#socket.intact) this.#spawn('draining')
      else void this.#pool.destroy(exit.error)
      return
    }
    if (this.#state === 'draining' || this.#state === 'stopped') return
    this.died++
    const served = this.#servedByChild
    const lived = performance.now() - this.#startedAt
    this.#report(reportExit({ pid: child.pid, command }, exit, { served, lived }))
  }

  /** No child could be started. */
  #failed(error: Error): void {
    if (this.#state === 'draining') void this.#pool.destroy(error)
    else this.#report(reportNoStart(error, performance.now() - this.#startedAt))
  }

  #report(report: ExitReport): void {
    this.lastExit = report
    this.#owner.onExit(this, report)
  }

  /** Settles when the output of its last child has been read to the end, or after a short timeout. */
  get outputEnded(): Promise<void> {
    return this.#child?.outputEnded ?? Promise.resolve()
  }

  #setState(state: ProcessState): void {
    this.#state = state
    this.#owner.onState(this)
  }

  #newPool(): Pool {
    const { concurrency, pool } = this.#settings
    return new Pool(this.address, { ...pool, maxConnections: concurrency })
  }

  // ---- requests

  protected override run(request: FastCGIRequest, handler: DispatchHandler): DispatchControl {
    this.#meter.change(1)
    const pool = this.#pool
    const onOver = (ending: Ending): void => this.#over(ending, pool === this.#pool)
    return pool.dispatch(request, new WatchedExchange(this, handler, onOver))
  }

  /** @param current whether the request was sent to the current socket. */
  #over(ending: Ending, current: boolean): void {
    this.#meter.change(-1)
    if (ending === 'answered') this.served++
    if (!current || ending === 'failed') return
    if (ending === 'answered') {
      this.#setAbandoned(false)
      if (++this.#servedByChild === 1) this.#owner.onFirstResponse(this)
    } else if (this.pid === undefined) return
    else if (ending === 'hung' && this.#settings.concurrency === 1) this.#killHung()
    else this.#setAbandoned(true)
  }

  /** Kills a child of concurrency 1 that exceeded a timeout, because the next request would wait for it as well. */
  #killHung(): void {
    this.#owner.onHung(this)
    this.#child?.kill()
  }

  #setAbandoned(abandoned: boolean): void {
    if (this.abandoned === abandoned) return
    this.abandoned = abandoned
    this.#owner.onState(this)
  }

  override get stats(): DispatcherStats {
    return this.#pool.stats
  }

  override close(): Promise<void> {
    return this.retire('end')
  }

  override async destroy(error?: Error): Promise<void> {
    await this.#pool.destroy(error)
    await this.retire('end')
  }
}
