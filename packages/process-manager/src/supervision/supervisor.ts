// Keeps the processes of one application running, in the number that its policy asks for.
import { type Balancer, type DispatcherEvent, OverloadedError } from '@fastcgi/client'
import type { ProcessEvent, ProcessLogger } from '../log.ts'
import type { ListenSockets } from '../sockets/listen-sockets.ts'
import type { OutputStream } from '../spawning/child.ts'
import { wasKilled } from '../spawning/exit-reason.ts'
import type { ExitReport } from './exit-report.ts'
import type { Fleet, Policy, Worker } from './policy.ts'
import { ManagedProcess } from './process.ts'
import type { ProcessOwner } from './process-owner.ts'
import { ProcessReports } from './process-reports.ts'
import type { ProcessSettings } from './process-settings.ts'
import type { StartThrottle } from './start-throttle.ts'

/** Maximum time between two ticks, in milliseconds. */
const TICK_INTERVAL = 1000
/** Maximum and minimum of `trialTime`, in milliseconds. */
const TRIAL_TIMES = [250, 50] as const

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
  /** Milliseconds. */
  readonly restartDelay: number
  readonly policy: (fleet: Fleet) => Policy
}

/**
 * Runs the processes of an application. Its policy decides how many there are, the start throttle when one may be
 * started. Each process is a member of the balancer, enabled while it takes requests; one that exits is replaced.
 */
export class Supervisor implements ProcessOwner<ManagedProcess>, Fleet {
  /** In order of creation, including those that are being retired. */
  readonly processes: ManagedProcess[] = []
  readonly #name: string
  readonly #balancer: Balancer
  readonly #sockets: ListenSockets
  readonly #settings: ProcessSettings
  readonly #throttle: StartThrottle
  readonly #policy: Policy
  readonly #reports: ProcessReports
  readonly #minServerLife: number
  /** Time that a process has to live after a failed start before it gets requests, in milliseconds. */
  readonly #trialTime: number
  readonly #retirements = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #restarting: Promise<void> = Promise.resolve()
  /** Failed children whose last output is still being read. */
  #failing = 0
  #demandScheduled = false
  #closing = false

  constructor(parts: SupervisorParts) {
    this.#name = parts.name
    this.#balancer = parts.balancer
    this.#sockets = parts.sockets
    this.#settings = parts.settings
    this.#throttle = parts.throttle
    this.#reports = new ProcessReports(parts.name, parts.logger)
    this.#minServerLife = parts.minServerLife
    const [longest, shortest] = TRIAL_TIMES
    this.#trialTime = Math.min(longest, Math.max(shortest, parts.restartDelay / 4))
    this.#policy = parts.policy(this)
    this.#balancer.waiting.onEnter = () => this.#demand()
    this.#tick()
  }

  /** Subscribes to process events; returns the function that unsubscribes. */
  listen(listener: (event: ProcessEvent) => void): () => void {
    return this.#reports.listen(listener)
  }

  /** What has happened to the processes lately, the oldest first. */
  get events(): readonly DispatcherEvent[] {
    return this.#reports.events.all
  }

  /** Replaces all processes, one after the other, without losing a request. */
  restart(): Promise<void> {
    return this.#restartOlder(performance.now())
  }

  /** Restarts the processes, because the program has changed. */
  programChanged(): void {
    this.#reports.changed()
    // Failures have been logged.
    this.restart().catch(() => {})
  }

  /** Restarts one process at a time, also when restarts are requested concurrently. Fails with the first error, at the end. */
  #restartOlder(time: number): Promise<void> {
    const errors: unknown[] = []
    const restarted = this.#restarting.then(async () => {
      for (const process of [...this.processes])
        if (process.startedAt < time)
          await process.restart().catch((error) => {
            errors.push(error)
            this.#reports.restartFailed(process, error)
          })
    })
    this.#restarting = restarted
    return restarted.then(() => {
      if (errors.length > 0) throw errors[0]
    })
  }

  /** Ends all processes and removes the socket directory. There must be no more requests. */
  async end(): Promise<void> {
    this.#closing = true
    clearTimeout(this.#timer)
    this.#policy.end()
    for (const process of [...this.processes]) this.#retire(process, 'end')
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
    if (process !== undefined) this.#retire(process, 'stay')
  }

  #retire(process: ManagedProcess, descendants: 'end' | 'stay'): void {
    const { pid, retiring } = process
    const retired = process.retire(descendants)
    if (retiring) return
    const retirement = retired.then(async () => {
      this.processes.splice(this.processes.indexOf(process), 1)
      this.#reports.stopped(process, pid)
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
    // A member of lbset 1 is chosen only if all of lbset 0 are busy.
    const lbset = process.abandoned ? 1 : 0
    if (member !== undefined && (member.status !== status || member.lbset !== lbset))
      this.#balancer.update(member.name, { status, lbset })
    if (process.state === 'trial') this.#schedule()
  }

  onStarted(process: ManagedProcess): void {
    this.#reports.started(process)
  }

  onFirstResponse(): void {
    if (this.#throttle.failures > 0) this.#recovered()
  }

  onHung(process: ManagedProcess): void {
    this.#reports.hung(process)
  }

  onSocketLost(process: ManagedProcess): void {
    this.#reports.socketLost(process, process.address.name)
  }

  onLine(
    process: ManagedProcess,
    pid: number | undefined,
    stream: OutputStream,
    line: string,
  ): void {
    this.#reports.line(process, pid, stream, line)
  }

  onExit(process: ManagedProcess, report: ExitReport): void {
    const now = performance.now()
    const started = report.pid !== undefined && report.lived >= this.#minServerLife
    const startSucceeded = report.served > 0 || started
    if (startSucceeded) void this.#reports.exited(process, report)
    else this.#startFailed(process, report, now)
    // A request that was dispatched to this process may be queued at its socket, so it has to be served.
    const wanted = process.load > 0 || this.#policy.replaces(now)
    if (startSucceeded && wanted) process.respawn()
    else if (wanted && !this.#closing) process.backOff()
    else {
      process.backOff()
      this.#retire(process, 'stay')
    }
    this.#refuseIfNoneRuns()
    this.#schedule()
  }

  #startFailed(process: ManagedProcess, report: ExitReport, now: number): void {
    this.#throttle.failed(now, { startedAt: now - report.lived, killed: wasKilled(report.exit) })
    const wait = Math.ceil(this.#throttle.wait(now))
    const next = `failure ${this.#throttle.failures}, next try in ${wait} ms`
    this.#failing++
    void this.#reports.failed(process, report, next).then(() => {
      this.#failing--
      this.#refuseIfNoneRuns()
    })
  }

  // ---- timer

  readonly #tick = (): void => {
    if (this.#closing) return
    const now = performance.now()
    for (const process of this.processes) {
      if (process.state === 'trial' && now - process.startedAt >= this.#trialTime) process.promote()
      const proven = process.state === 'running' && now - process.startedAt >= this.#minServerLife
      if (proven && this.#throttle.failures > 0) this.#throttle.succeeded()
      process.renewSocket()
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
      .map((process) => process.startedAt + this.#trialTime - now)
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
    // The error tells the last output of the process that has failed.
    if (available || this.#failing > 0 || this.#balancer.waiting.size === 0) return
    const wait = Math.ceil(this.#throttle.wait(performance.now()))
    this.#balancer.waiting.refuse(
      new OverloadedError(
        `no process of ${this.#name} runs; the next try is in ${wait} ms (option restartDelay). ${this.#reports.lastFailure}`.trim(),
      ),
    )
  }

  /** The lowest number that no process has. */
  #freeNumber(): number {
    const taken = new Set(this.processes.map(({ number }) => number))
    for (let number = 0; ; number++) if (!taken.has(number)) return number
  }
}
