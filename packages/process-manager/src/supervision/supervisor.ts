import { type Balancer, OverloadedError } from '@fastcgi/client'
import { type ProcessEvent, type ProcessLogger, publishProcess } from '../log.ts'
import type { SocketPlace } from '../sockets/socket-place.ts'
import type { OutputStream } from '../spawning/child.ts'
import type { Fleet, Policy, Worker } from './policy.ts'
import {
  type ExitReport,
  ManagedProcess,
  type ProcessOwner,
  type ProcessSettings,
} from './process.ts'
import type { StartThrottle } from './start-throttle.ts'

/** Milliseconds between two looks at everything. */
const TICK = 1000
/** Milliseconds a process has to live after a failed start before it gets requests. */
const TRIAL = 250

/** What a {@link Supervisor} works with. */
export interface SupervisorParts {
  readonly name: string
  /** Has the processes as members. */
  readonly balancer: Balancer
  readonly place: SocketPlace
  readonly settings: ProcessSettings
  readonly gate: StartThrottle
  readonly logger: ProcessLogger
  /** Milliseconds. */
  readonly minServerLife: number
  readonly policy: (fleet: Fleet) => Policy
}

/**
 * Keeps the processes of an application: as many as its policy wants, started when the gate allows it, replaced when they
 * end, members of the balancer while they take requests.
 */
export class Supervisor implements ProcessOwner, Fleet {
  /** In the order they came, those on their way out included. */
  readonly all: ManagedProcess[] = []
  readonly #name: string
  readonly #balancer: Balancer
  readonly #place: SocketPlace
  readonly #settings: ProcessSettings
  readonly #gate: StartThrottle
  readonly #policy: Policy
  readonly #logger: ProcessLogger
  readonly #minServerLife: number
  readonly #leaving = new Set<Promise<void>>()
  readonly #listeners = new Set<(event: ProcessEvent) => void>()
  #timer: NodeJS.Timeout | undefined
  #restarting: Promise<void> = Promise.resolve()
  #refusal = ''
  #demanded = false
  #ending = false

  constructor(parts: SupervisorParts) {
    this.#name = parts.name
    this.#balancer = parts.balancer
    this.#place = parts.place
    this.#settings = parts.settings
    this.#gate = parts.gate
    this.#logger = parts.logger
    this.#minServerLife = parts.minServerLife
    this.#policy = parts.policy(this)
    this.#balancer.waiting.onEnter = () => this.#demand()
    this.#tick()
  }

  listen(listener: (event: ProcessEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Replaces all processes, one after the other, without losing a request. */
  restart(): Promise<void> {
    return this.#restartOlder(performance.now())
  }

  /** Restarts what was started before a moment, given in milliseconds since 1970. */
  restartOlderThan(changed: number): void {
    const moment = changed - performance.timeOrigin
    if (this.all.every((process) => process.state !== 'running' || process.startedAt >= moment))
      return
    this.#logger.info({ application: this.#name }, `${this.#name}: changed on disk, restarting`)
    void this.#restartOlder(moment)
  }

  /** One at a time, whoever asks for it. */
  #restartOlder(moment: number): Promise<void> {
    this.#restarting = this.#restarting.then(async () => {
      for (const process of [...this.all]) if (process.startedAt < moment) await process.restart()
    })
    return this.#restarting
  }

  /** Ends all processes. There must be no more requests. */
  async end(): Promise<void> {
    this.#ending = true
    clearTimeout(this.#timer)
    this.#policy.end()
    for (const process of [...this.all]) this.retire(process)
    await Promise.all(this.#leaving)
    this.#place.remove()
  }

  // ---- what the policy sees and does

  get workers(): readonly ManagedProcess[] {
    return this.all.filter((process) => !process.leaving)
  }

  get waiting(): number {
    return this.#balancer.waiting.size
  }

  get waitingSince(): number | undefined {
    return this.#balancer.waiting.since
  }

  start(now: number): boolean {
    const trial = this.#gate.failures > 0
    if (this.#gate.wait(now) > 0 || (trial && this.#trying)) return false
    const number = this.#freeNumber()
    const name = `${this.#name}-${number}`
    const process = new ManagedProcess(name, number, this.#place, this.#settings, this)
    this.all.push(process)
    this.#balancer.add({
      address: process,
      name,
      maxLoad: this.#settings.concurrency,
      status: 'disabled',
      ignoreErrors: true,
    })
    this.#gate.started(now)
    void process.start(trial)
    return true
  }

  retire(worker: Worker): void {
    const process = this.all.find((known) => known === worker)
    if (process === undefined || process.leaving) return
    const { pid } = process
    const gone = process.retire().then(async () => {
      this.all.splice(this.all.indexOf(process), 1)
      this.#tell(process, 'stopped', pid)
      await this.#balancer.remove(process.name)
      this.#leaving.delete(gone)
      this.#tick()
    })
    this.#leaving.add(gone)
  }

  // ---- what processes tell

  onState(process: ManagedProcess): void {
    const member = this.#balancer.members.find((known) => known.dispatcher === process)
    const status = process.state === 'running' ? 'enabled' : 'disabled'
    if (member !== undefined && member.status !== status)
      this.#balancer.update(member.name, { status })
    if (process.state === 'trial') this.#schedule()
  }

  onStarted(process: ManagedProcess): void {
    this.#logger.info(details(process), `${process.name}: started, pid ${process.pid}`)
    this.#tell(process, 'started', process.pid)
  }

  onServes(): void {
    if (this.#gate.failures > 0) this.#recovered()
  }

  onHung(process: ManagedProcess): void {
    this.#logger.error(
      details(process),
      `${process.name}[${process.pid}]: killed, it did not answer in time`,
    )
    this.#tell(process, 'hung', process.pid)
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
    const good = report.served > 0 || report.lived >= this.#minServerLife
    if (!good) this.#gate.failed(now)
    const event = good ? 'exited' : 'failed'
    this.#tell(process, event, report.pid, report.reason)
    void this.#log(process, report, good)
    // Who is on the way to its socket has been promised an answer.
    const wanted = process.load > 0 || this.#policy.replaces(now)
    if (good && wanted) process.respawn()
    else if (wanted && !this.#ending) process.backOff()
    else {
      process.backOff()
      this.retire(process)
    }
    this.#refuseIfHopeless()
    this.#schedule()
  }

  // ---- time

  readonly #tick = (): void => {
    if (this.#ending) return
    const now = performance.now()
    for (const process of this.all) {
      if (process.state === 'trial' && now - process.startedAt >= TRIAL) process.promote()
      const proven = process.state === 'running' && now - process.startedAt >= this.#minServerLife
      if (proven && this.#gate.failures > 0) this.#gate.succeeded()
      const due = process.state === 'backoff' && !process.leaving && this.#gate.wait(now) === 0
      if (due && !(this.#gate.failures > 0 && this.#trying)) {
        this.#gate.started(now)
        void process.start(this.#gate.failures > 0)
      }
    }
    this.#policy.tick(now)
    this.#schedule()
  }

  /** Sets the next tick: in a second, or sooner where something is due before. */
  #schedule(): void {
    clearTimeout(this.#timer)
    if (this.#ending) return
    const now = performance.now()
    const gate = this.#gate.wait(now)
    const trials = this.all
      .filter((process) => process.state === 'trial')
      .map((process) => process.startedAt + TRIAL - now)
    const pause = Math.min(TICK, gate > 0 ? gate : TICK, ...trials)
    this.#timer = setTimeout(this.#tick, Math.max(1, Math.ceil(pause))).unref()
  }

  /** A request waits; once for all that do so now. */
  #demand(): void {
    if (this.#demanded) return
    this.#demanded = true
    process.nextTick(() => {
      this.#demanded = false
      if (this.#balancer.waiting.size > 0) this.#policy.demand(performance.now())
      this.#refuseIfHopeless()
    })
  }

  // ---- failures

  /** Whether a process is being tried out after failures: there is one at a time. */
  get #trying(): boolean {
    return this.all.some(({ state }) => state === 'trial' || state === 'opening')
  }

  #recovered(): void {
    this.#gate.succeeded()
    this.#schedule()
    setImmediate(this.#tick)
  }

  /** With nobody there, and nobody coming before long, requests are refused at once. */
  #refuseIfHopeless(): void {
    const hope =
      this.#gate.failures === 0 ||
      this.all.some(
        ({ state, leaving }) => (state === 'running' || state === 'draining') && !leaving,
      )
    if (hope || this.#balancer.waiting.size === 0) return
    const wait = Math.ceil(this.#gate.wait(performance.now()))
    this.#balancer.waiting.refuse(
      new OverloadedError(
        `no process of ${this.#name} runs; the next try is in ${wait} ms (option restartDelay). ${this.#refusal}`.trim(),
      ),
    )
  }

  async #log(process: ManagedProcess, report: ExitReport, good: boolean): Promise<void> {
    const wait = Math.ceil(this.#gate.wait(performance.now()))
    this.#refusal = `${process.name} ${report.reason}`
    const pid = report.pid === undefined ? '' : `[${report.pid}]`
    const served = report.served > 0 ? ` after ${report.served} requests` : ''
    const next = good ? '' : `; failure ${this.#gate.failures}, next try in ${wait} ms`
    const lines = details(process, report.pid)
    await process.silent
    const words = process.lastWords === '' ? '' : `; it said: ${process.lastWords}`
    if (!good) this.#refusal += words
    const message = `${process.name}${pid}: ${report.reason}${served}${next}${good ? '' : words}`
    if (good && report.exit.code === 0) this.#logger.info(lines, message)
    else this.#logger.error(lines, message)
  }

  #tell(
    process: ManagedProcess,
    event: ProcessEvent['event'],
    pid?: number,
    reason?: string,
  ): void {
    const told: ProcessEvent = {
      application: this.#name,
      process: process.name,
      pid,
      event,
      reason,
    }
    publishProcess(told)
    for (const listener of this.#listeners) listener(told)
  }

  #freeNumber(): number {
    const taken = new Set(this.all.map(({ number }) => number))
    for (let number = 0; ; number++) if (!taken.has(number)) return number
  }
}

function details(process: ManagedProcess, pid: number | undefined = process.pid): object {
  return { process: process.name, pid }
}
