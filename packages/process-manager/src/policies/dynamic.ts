// Mode dynamic: mod_fastcgi's FastCgiConfig, with the errors of its arithmetic corrected (see DynamicGroup).
import { checkOptions } from '@fastcgi/client/internal'
import type { Fleet, Policy, Worker } from '../supervision/policy.ts'
import {
  type DynamicOptions,
  type DynamicRules,
  dynamicChecks,
  dynamicRules,
} from './dynamic-rules.ts'

/**
 * Applications that share one maximum number of processes (mod_fastcgi `FastCgiConfig`): pass the group to several
 * managers (option `dynamicGroup`). A process is started after a request has waited for `startDelay`, and ended when the
 * smoothed load shows that the remaining processes can do its work.
 *
 * It differs from mod_fastcgi's source where that contradicts its documentation:
 * - mod_fastcgi's loops over the applications stop at the first one that is not dynamic;
 * - it computes the load that the remaining processes would have with integers, so that from three processes on the load
 *   does not rise at all;
 * - it divides the busy time of one period by the length of another;
 * - it checks `minProcesses` only after it has ended a process, so it ends one although there are too few already.
 */
export class DynamicGroup {
  /** The options, with defaults filled in. */
  readonly rules: DynamicRules
  readonly #applications = new Set<DynamicPolicy>()
  #updatedAt: number | undefined
  #killedAt: number | undefined

  /** @throws OptionError for an unknown or invalid option. */
  constructor(options: DynamicOptions = {}) {
    checkOptions('DynamicGroup', options, dynamicChecks)
    this.rules = dynamicRules(options)
  }

  /** Number of processes of all applications. */
  get total(): number {
    let total = 0
    for (const { workers } of this.#applications) total += workers.length
    return total
  }

  /** Adds an application; `end()` of the returned policy removes it. */
  join(fleet: Fleet): Policy {
    const policy = new DynamicPolicy(this, fleet, () => this.#applications.delete(policy))
    this.#applications.add(policy)
    return policy
  }

  /** Called about once a second by every application; the intervals are those of the group. */
  tick(now: number): void {
    this.#updatedAt ??= now
    this.#killedAt ??= now
    const { updateInterval, killInterval, maxProcesses, processSlack } = this.rules
    if (now - this.#updatedAt >= updateInterval) {
      for (const application of this.#applications) application.update(now)
      this.#updatedAt = now
    }
    const nearLimit = this.total + processSlack >= maxProcesses
    if (!nearLimit && now - this.#killedAt < killInterval) return
    // At least a second between two rounds: the effect of an end on the load has to be measured first.
    if (nearLimit && now - this.#killedAt < NEAR_LIMIT_INTERVAL) return
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

/** Milliseconds between two rounds while no more than `processSlack` processes can still be started. */
const NEAR_LIMIT_INTERVAL = 1000

/** The policy of one application in a {@link DynamicGroup}. */
class DynamicPolicy implements Policy {
  readonly #group: DynamicGroup
  readonly #fleet: Fleet
  readonly #onEnd: () => void
  /** Average number of busy processes, exponentially smoothed; undefined before the end of the first period. */
  #smoothedBusy: number | undefined
  /** Busy time of each process at the start of the period, in milliseconds. */
  #lastBusy = new Map<Worker, number>()
  #periodStart: number | undefined
  #lastStart = Number.NEGATIVE_INFINITY

  constructor(group: DynamicGroup, fleet: Fleet, onEnd: () => void) {
    this.#group = group
    this.#fleet = fleet
    this.#onEnd = onEnd
  }

  get workers(): readonly Worker[] {
    return this.#fleet.workers
  }

  tick(now: number): void {
    this.#periodStart ??= now
    this.#group.tick(now)
    this.demand(now)
  }

  /** Starts the first process at once, and a further one after a request has waited for `startDelay`. */
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
    this.#onEnd()
  }

  /** Ends a measurement period: adds it to the smoothed load. */
  update(now: number): void {
    const { gainValue } = this.#group.rules
    const busy = this.#busySincePeriod(now)
    this.#smoothedBusy = gainValue * busy + (1 - gainValue) * (this.#smoothedBusy ?? 0)
    this.#periodStart = now
    this.#lastBusy = new Map(this.workers.map((worker) => [worker, worker.busyTime(now)]))
  }

  /** Average load of a process, in percent of the time. */
  loadFactor(now: number): number {
    const busy = this.#smoothedBusy ?? this.#busySincePeriod(now)
    return this.workers.length === 0 ? 0 : (100 * busy) / this.workers.length
  }

  /** Ends the youngest process if the remaining ones can do its work. */
  killOne(now: number): void {
    const running = this.workers.length
    if (running === 0) return
    const { singleThreshold, multiThreshold } = this.#group.rules
    const load = this.loadFactor(now)
    const dispensable =
      running === 1 ? load < singleThreshold : (load * running) / (running - 1) < multiThreshold
    if (!dispensable || this.#fleet.waiting > 0) return
    const youngest = [...this.workers].sort((a, b) => b.startedAt - a.startedAt)[0]
    if (youngest !== undefined) this.#fleet.retire(youngest)
  }

  /** Average number of busy processes since the start of the period. */
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
