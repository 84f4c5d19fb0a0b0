// lighttpd's min-procs, max-procs, max-load-per-proc and idle-timeout.
import type { Fleet, Policy } from '../supervision/policy.ts'

/** What an {@link AdaptivePolicy} goes by. */
export interface AdaptiveRules {
  readonly minProcesses: number
  readonly maxProcesses: number
  /** Requests for each process, beyond which there is to be another one. */
  readonly maxLoadPerProcess: number
  /** Milliseconds without a request after which a process ends. */
  readonly idleTimeout: number
}

/**
 * One process more, each second, while there is more to do than the processes can carry; one less, each second, while one
 * has had nothing to do for long.
 */
export class AdaptivePolicy implements Policy {
  readonly #fleet: Fleet
  readonly #rules: AdaptiveRules

  constructor(fleet: Fleet, rules: AdaptiveRules) {
    this.#fleet = fleet
    this.#rules = rules
  }

  tick(now: number): void {
    const fleet = this.#fleet
    const { minProcesses, maxProcesses, maxLoadPerProcess, idleTimeout } = this.#rules
    while (fleet.workers.length < minProcesses && fleet.start(now));
    const { workers } = fleet
    const load = workers.reduce((sum, worker) => sum + worker.load, fleet.waiting)
    if (load > workers.length * maxLoadPerProcess) {
      if (workers.length < maxProcesses) fleet.start(now)
      return
    }
    // The last one: the first ones get the requests when there are few.
    const idle = workers.findLast(
      ({ idleSince }) => idleSince !== undefined && now - idleSince >= idleTimeout,
    )
    if (idle !== undefined && workers.length > minProcesses) fleet.retire(idle)
  }

  demand(now: number): void {
    if (this.#fleet.workers.length === 0 && this.#rules.maxProcesses > 0) this.#fleet.start(now)
  }

  replaces(): boolean {
    return (
      this.#fleet.workers.length <= Math.max(1, this.#rules.minProcesses) || this.#fleet.waiting > 0
    )
  }

  end(): void {}
}
