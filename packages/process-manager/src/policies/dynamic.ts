// mod_fastcgi's FastCgiConfig. Its arithmetic is mended where the source slips, see DynamicGroup.
import { checkOptions } from '@fastcgi/client/internal'
import type { Fleet, Policy, Worker } from '../supervision/policy.ts'
import {
  type DynamicOptions,
  type DynamicRules,
  dynamicChecks,
  dynamicRules,
} from './dynamic-rules.ts'

/**
 * Applications that share one number of processes (mod_fastcgi `FastCgiConfig`). Processes are started when requests have
 * waited, and ended when the smoothed load says that the others can do their work.
 *
 * What mod_fastcgi's source does otherwise, and its documentation does not say:
 * its loops over applications stop at the first one that is not dynamic;
 * the load that the others would have is computed with whole numbers, so that from three processes on it is not raised at all;
 * the load is the time of one period divided by the length of another one;
 * `minProcesses` is looked at after an end only, so one is ended although there are too few already.
 */
export class DynamicGroup {
  readonly rules: DynamicRules
  readonly #applications = new Set<DynamicPolicy>()
  #updatedAt: number | undefined
  #killedAt: number | undefined

  /** @throws OptionError */
  constructor(options: DynamicOptions = {}) {
    checkOptions('DynamicGroup', options, dynamicChecks)
    this.rules = dynamicRules(options)
  }

  /** Processes of all applications. */
  get total(): number {
    let total = 0
    for (const { workers } of this.#applications) total += workers.length
    return total
  }

  /** Takes an application in; `end()` of what it returns takes it out again. */
  join(fleet: Fleet): Policy {
    const policy = new DynamicPolicy(this, fleet, () => this.#applications.delete(policy))
    this.#applications.add(policy)
    return policy
  }

  /** Any application's second has passed. */
  tick(now: number): void {
    this.#updatedAt ??= now
    this.#killedAt ??= now
    const { updateInterval, killInterval, maxProcesses, processSlack } = this.rules
    if (now - this.#updatedAt >= updateInterval) {
      for (const application of this.#applications) application.update(now)
      this.#updatedAt = now
    }
    const crowded = this.total + processSlack >= maxProcesses
    if (!crowded && now - this.#killedAt < killInterval) return
    // Crowded for a while, it is not to be every second: a load takes its time to be known.
    if (crowded && now - this.#killedAt < CROWDED_INTERVAL) return
    this.#killedAt = now
    this.#kill(now)
  }

  /** Ends at most one process of each application. */
  #kill(now: number): void {
    for (const application of this.#applications) {
      if (this.total <= this.rules.minProcesses) return
      application.killOne(now)
    }
  }
}

/** Milliseconds between two rounds while there is hardly room for another process. */
const CROWDED_INTERVAL = 1000

class DynamicPolicy implements Policy {
  readonly #group: DynamicGroup
  readonly #fleet: Fleet
  readonly #leave: () => void
  /** How many processes were busy on average, smoothed; undefined before the first period is over. */
  #smooth: number | undefined
  #lastBusy = new Map<Worker, number>()
  #periodStart: number | undefined
  #lastStart = Number.NEGATIVE_INFINITY

  constructor(group: DynamicGroup, fleet: Fleet, leave: () => void) {
    this.#group = group
    this.#fleet = fleet
    this.#leave = leave
  }

  get workers(): readonly Worker[] {
    return this.#fleet.workers
  }

  tick(now: number): void {
    this.#periodStart ??= now
    this.#group.tick(now)
    this.demand(now)
  }

  /** The first process at once, every further one when a request has waited for `startDelay`. */
  demand(now: number): void {
    const { waiting, waitingSince = now, workers } = this.#fleet
    if (waiting === 0) return
    const since = Math.max(waitingSince, this.#lastStart)
    if (workers.length === 0 || now - since >= this.#group.rules.startDelay) this.#start(now)
  }

  #start(now: number): void {
    const { maxProcesses, maxClassProcesses } = this.#group.rules
    if (this.#group.total >= maxProcesses || this.workers.length >= maxClassProcesses) return
    if (this.#fleet.start(now)) this.#lastStart = now
  }

  replaces(): boolean {
    const { restart, singleThreshold } = this.#group.rules
    return restart || (singleThreshold === 0 && this.workers.length <= 1)
  }

  end(): void {
    this.#leave()
  }

  /** A period of statistics is over. */
  update(now: number): void {
    const { gainValue } = this.#group.rules
    const busy = this.#busySincePeriod(now)
    this.#smooth = gainValue * busy + (1 - gainValue) * (this.#smooth ?? 0)
    this.#periodStart = now
    this.#lastBusy = new Map(this.workers.map((worker) => [worker, worker.busyTime(now)]))
  }

  /** Percent of the time that a process is busy, on average. */
  loadFactor(now: number): number {
    const busy = this.#smooth ?? this.#busySincePeriod(now)
    return this.workers.length === 0 ? 0 : (100 * busy) / this.workers.length
  }

  /** Ends the youngest one, if the others can do its work. */
  killOne(now: number): void {
    const running = this.workers.length
    if (running === 0) return
    const { singleThreshold, multiThreshold } = this.#group.rules
    const load = this.loadFactor(now)
    const spare =
      running === 1 ? load < singleThreshold : (load * running) / (running - 1) < multiThreshold
    if (!spare || this.#fleet.waiting > 0) return
    const youngest = [...this.workers].sort((a, b) => b.startedAt - a.startedAt)[0]
    if (youngest !== undefined) this.#fleet.retire(youngest)
  }

  /** How many were busy on average since the period began. */
  #busySincePeriod(now: number): number {
    const elapsed = now - (this.#periodStart ?? now)
    if (elapsed <= 0) return 0
    const busy = this.workers.reduce(
      (sum, worker) => sum + worker.busyTime(now) - (this.#lastBusy.get(worker) ?? 0),
      0,
    )
    return busy / elapsed
  }
}
