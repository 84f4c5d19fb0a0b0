// Keeps the processes of one application running, in the number that its policy asks for.
import { type Balancer, OverloadedError } from '@fastcgi/client'
import { callSafely } from '@fastcgi/client/internal'
import { type ProcessEvent, type ProcessLogger, publishProcess } from '../log.ts'
import type { ListenSockets } from '../sockets/listen-sockets.ts'
import type { OutputStream } from '../spawning/child.ts'
import type { Fleet, Policy, Worker } from './policy.ts'
import { ManagedProcess, type ProcessOwner } from './process.ts'
import type { ExitReport, ProcessSettings } from './process-settings.ts'
import type { StartThrottle } from './start-throttle.ts'

/** Maximum time between two ticks, in milliseconds. */
const TICK_INTERVAL = 1000
/** Time that a process has to live after a failed start before it gets requests, in milliseconds. */
const TRIAL_TIME = 250

/** Collaborators and settings of a {@link Supervisor}. */
export interface SupervisorParts {
  readonly name: string
  /** The balancer whose members are the processes. */
  readonly balancer: Balancer
  readonly sockets: ListenSockets
  readonly settings: ProcessSettings
  readonly throttle: StartThrottle
  readonly logger: ProcessLogger
  /** Milliseconds. */
  readonly minServerLife: number
  readonly policy: (fleet: Fleet) => Policy
}

/**
 * Runs the processes of an application. Its policy decides how many there are, the start throttle when one may be
 * started. Each process is a member of the balancer, enabled while it takes requests; one that exits is replaced.
 */
export class Supervisor implements ProcessOwner, Fleet {
  /** In order of creation, including those that are being retired. */
  readonly processes: ManagedProcess[] = []
  readonly #name: string
  readonly #balancer: Balancer
  readonly #sockets: ListenSockets
  readonly #settings: ProcessSettings
  readonly #throttle: StartThrottle
  readonly #policy: Policy
  readonly #logger: ProcessLogger
  readonly #minServerLife: number
  readonly #retirements = new Set<Promise<void>>()
  readonly #listeners = new Set<(event: ProcessEvent) => void>()
  #timer: NodeJS.Timeout | undefined
  #restarting: Promise<void> = Promise.resolve()
  /** Why the last child ended, for the error of requests that are refused. */
  #lastFailure = ''
  #demandScheduled = false
  #closing = false

  constructor(parts: SupervisorParts) {
    this.#name = parts.name
    this.#balancer = parts.balancer
    this.#sockets = parts.sockets
    this.#settings = parts.settings
    this.#throttle = parts.throttle
    this.#logger = parts.logger
    this.#minServerLife = parts.minServerLife
    this.#policy = parts.policy(this)
    this.#balancer.waiting.onEnter = () => this.#demand()
    this.#tick()
  }

  /** Subscribes to process events; returns the function that unsubscribes. */
  listen(listener: (event: ProcessEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Replaces all processes, one after the other, without losing a request. */
  restart(): Promise<void> {
    return this.#restartOlder(performance.now())
  }

  /** Restarts the processes that were started before a time, given in milliseconds since 1970. */
  restartOlderThan(changed: number): void {
    const time = changed - performance.timeOrigin
    if (this.processes.every((process) => process.state !== 'running' || process.startedAt >= time))
      return
    this.#logger.info({ application: this.#name }, `${this.#name}: changed on disk, restarting`)
    void this.#restartOlder(time)
  }

  /** Restarts one process at a time, also when restarts are requested concurrently. */
  #restartOlder(time: number): Promise<void> {
    this.#restarting = this.#restarting.then(async () => {
      for (const process of [...this.processes])
        if (process.startedAt < time) await process.restart()
    })
    return this.#restarting
  }

  /** Ends all processes and removes the socket directory. There must be no more requests. */
  async end(): Promise<void> {
    this.#closing = true
    clearTimeout(this.#timer)
    this.#policy.end()
    for (const process of [...this.processes]) this.retire(process)
    await Promise.all(this.#retirements)
    this.#sockets.remove()
  }

  // ---- Fleet: what the policy sees and does

  get workers(): readonly ManagedProcess[] {
    return this.processes.filter((process) => !process.retiring)
  }

  get waiting(): number {
    return this.#balancer.waiting.size
  }

  get waitingSince(): number | undefined {
    return this.#balancer.waiting.since
  }

  start(now: number): boolean {
    const trial = this.#throttle.failures > 0
    if (this.#throttle.wait(now) > 0 || (trial && this.#trialRunning)) return false
    const number = this.#freeNumber()
    const name = `${this.#name}-${number}`
    const process = new ManagedProcess(name, number, this.#sockets, this.#settings, this)
    this.processes.push(process)
    this.#balancer.add({
      address: process,
      name,
      maxLoad: this.#settings.concurrency,
      status: 'disabled',
      ignoreErrors: true,
    })
    this.#throttle.started(now)
    void process.start(trial)
    return true
  }

  retire(worker: Worker): void {
    const process = this.processes.find((known) => known === worker)
    if (process === undefined || process.retiring) return
    const { pid } = process
    const retirement = process.retire().then(async () => {
      this.processes.splice(this.processes.indexOf(process), 1)
      this.#emit(process, 'stopped', pid)
      await this.#balancer.remove(process.name)
      this.#retirements.delete(retirement)
      this.#tick()
    })
    this.#retirements.add(retirement)
  }

  // ---- ProcessOwner: events of the processes

  onState(process: ManagedProcess): void {
    const member = this.#balancer.members.find((known) => known.dispatcher === process)
    const status = process.state === 'running' ? 'enabled' : 'disabled'
    if (member !== undefined && member.status !== status)
      this.#balancer.update(member.name, { status })
    if (process.state === 'trial') this.#schedule()
  }

  onStarted(process: ManagedProcess): void {
    this.#logger.info(details(process), `${process.name}: started, pid ${process.pid}`)
    this.#emit(process, 'started', process.pid)
  }

  onFirstResponse(): void {
    if (this.#throttle.failures > 0) this.#recovered()
  }

  onHung(process: ManagedProcess): void {
    this.#logger.error(
      details(process),
      `${process.name}[${process.pid}]: killed, because it did not answer in time (option timeouts)`,
    )
    this.#emit(process, 'hung', process.pid)
  }

  onLine(
    process: ManagedProcess,
    pid: number | undefined,
    stream: OutputStream,
    line: string,
  ): void {
    const message = `${process.name}[${pid}]: ${line}`
    if (stream === 'stderr') this.#logger.warn(details(process, pid), message)
    else this.#logger.info(details(process, pid), message)
  }

  onExit(process: ManagedProcess, report: ExitReport): void {
    const now = performance.now()
    const startSucceeded = report.served > 0 || report.lived >= this.#minServerLife
    if (!startSucceeded) this.#throttle.failed(now)
    const event = startSucceeded ? 'exited' : 'failed'
    this.#emit(process, event, report.pid, report.reason)
    void this.#log(process, report, startSucceeded)
    // A request that was dispatched to this process may be queued at its socket, so it has to be served.
    const wanted = process.load > 0 || this.#policy.replaces(now)
    if (startSucceeded && wanted) process.respawn()
    else if (wanted && !this.#closing) process.backOff()
    else {
      process.backOff()
      this.retire(process)
    }
    this.#refuseIfNoneRuns()
    this.#schedule()
  }

  // ---- timer

  readonly #tick = (): void => {
    if (this.#closing) return
    const now = performance.now()
    for (const process of this.processes) {
      if (process.state === 'trial' && now - process.startedAt >= TRIAL_TIME) process.promote()
      const proven = process.state === 'running' && now - process.startedAt >= this.#minServerLife
      if (proven && this.#throttle.failures > 0) this.#throttle.succeeded()
      const due = process.state === 'backoff' && !process.retiring && this.#throttle.wait(now) === 0
      if (due && !(this.#throttle.failures > 0 && this.#trialRunning)) {
        this.#throttle.started(now)
        void process.start(this.#throttle.failures > 0)
      }
    }
    this.#policy.tick(now)
    this.#schedule()
  }

  /** Schedules the next tick: in a second, or when the next start or the end of a trial is due. */
  #schedule(): void {
    clearTimeout(this.#timer)
    if (this.#closing) return
    const now = performance.now()
    const startDelay = this.#throttle.wait(now)
    const trials = this.processes
      .filter((process) => process.state === 'trial')
      .map((process) => process.startedAt + TRIAL_TIME - now)
    const pause = Math.min(TICK_INTERVAL, startDelay > 0 ? startDelay : TICK_INTERVAL, ...trials)
    this.#timer = setTimeout(this.#tick, Math.max(1, Math.ceil(pause))).unref()
  }

  /** Tells the policy of queued requests, once for all that are queued in one tick. */
  #demand(): void {
    if (this.#demandScheduled) return
    this.#demandScheduled = true
    process.nextTick(() => {
      this.#demandScheduled = false
      if (this.#balancer.waiting.size > 0) this.#policy.demand(performance.now())
      this.#refuseIfNoneRuns()
    })
  }

  // ---- failures

  /** Whether a process is being started or on trial. After a failure there is at most one. */
  get #trialRunning(): boolean {
    return this.processes.some(({ state }) => state === 'trial' || state === 'opening')
  }

  /** A process answers again: ends the backoff, and starts the others without waiting for the next tick. */
  #recovered(): void {
    this.#throttle.succeeded()
    this.#schedule()
    setImmediate(this.#tick)
  }

  /** Fails the queued requests at once if no process runs and the last start failed. */
  #refuseIfNoneRuns(): void {
    const available =
      this.#throttle.failures === 0 ||
      this.processes.some(
        ({ state, retiring }) => (state === 'running' || state === 'draining') && !retiring,
      )
    if (available || this.#balancer.waiting.size === 0) return
    const wait = Math.ceil(this.#throttle.wait(performance.now()))
    this.#balancer.waiting.refuse(
      new OverloadedError(
        `no process of ${this.#name} runs; the next try is in ${wait} ms (option restartDelay). ${this.#lastFailure}`.trim(),
      ),
    )
  }

  /** Logs an exit, after the last output of the child has been read, since that usually tells the reason. */
  async #log(process: ManagedProcess, report: ExitReport, startSucceeded: boolean): Promise<void> {
    const wait = Math.ceil(this.#throttle.wait(performance.now()))
    this.#lastFailure = `${process.name} ${report.reason}`
    const pid = report.pid === undefined ? '' : `[${report.pid}]`
    const served = report.served > 0 ? ` after ${report.served} requests` : ''
    const next = startSucceeded
      ? ''
      : `; failure ${this.#throttle.failures}, next try in ${wait} ms`
    const lines = details(process, report.pid)
    await process.outputEnded
    const words = process.lastOutput === '' ? '' : `; it said: ${process.lastOutput}`
    if (!startSucceeded) this.#lastFailure += words
    const message = `${process.name}${pid}: ${report.reason}${served}${next}${startSucceeded ? '' : words}`
    if (startSucceeded && report.exit.code === 0) this.#logger.info(lines, message)
    else this.#logger.error(lines, message)
  }

  #emit(
    process: ManagedProcess,
    event: ProcessEvent['event'],
    pid?: number,
    reason?: string,
  ): void {
    const emitted: ProcessEvent = {
      application: this.#name,
      process: process.name,
      pid,
      event,
      reason,
    }
    publishProcess(emitted)
    for (const listener of [...this.#listeners])
      callSafely('a listener of onProcess', () => listener(emitted))
  }

  /** The lowest number that no process has. */
  #freeNumber(): number {
    const taken = new Set(this.processes.map(({ number }) => number))
    for (let number = 0; ; number++) if (!taken.has(number)) return number
  }
}

function details(process: ManagedProcess, pid: number | undefined = process.pid): object {
  return { process: process.name, pid }
}
