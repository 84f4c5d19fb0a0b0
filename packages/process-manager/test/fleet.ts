/** Processes and time that are only imagined, so that policies can be tried without waiting. */
import { DynamicGroup } from '@fastcgi/process-manager'
import type { Fleet, Policy, Worker } from './internals.ts'

/** Milliseconds between two ticks. */
const TICK = 1000

/** A process that has as many requests as a test says. */
export class ImaginedWorker implements Worker {
  readonly startedAt: number
  #load = 0
  #busy = 0
  #changedAt: number

  constructor(now: number) {
    this.startedAt = this.#changedAt = now
  }

  get load(): number {
    return this.#load
  }

  get idleSince(): number | undefined {
    return this.#load === 0 ? this.#changedAt : undefined
  }

  busyTime(now: number): number {
    return this.#busy + this.#load * (now - this.#changedAt)
  }

  take(load: number, now: number): void {
    if (load === this.#load) return
    this.#busy = this.busyTime(now)
    this.#changedAt = now
    this.#load = load
  }
}

/** An application with so many requests at every moment; each process carries one at a time, first come, first served. */
export class ImaginedFleet implements Fleet {
  workers: ImaginedWorker[] = []
  waiting = 0
  waitingSince: number | undefined
  /** Whether processes may be started. */
  open = true
  starts = 0
  #requests = 0

  start(now: number): boolean {
    if (!this.open) return false
    this.starts++
    this.workers = [...this.workers, new ImaginedWorker(now)]
    this.share(now)
    return true
  }

  retire(worker: Worker): void {
    this.workers = this.workers.filter((known) => known !== worker)
  }

  /** So many requests are there from now on. */
  ask(requests: number, now: number): void {
    this.#requests = requests
    this.share(now)
  }

  share(now: number): void {
    for (const [at, worker] of this.workers.entries()) worker.take(at < this.#requests ? 1 : 0, now)
    this.waiting = Math.max(0, this.#requests - this.workers.length)
    if (this.waiting === 0) this.waitingSince = undefined
    else this.waitingSince ??= now
  }
}

/** Lets time pass for policies, a second at a time; returns how many processes there were after each. */
export class Clock {
  now = 0

  run(seconds: number, policies: readonly Policy[], fleets: readonly ImaginedFleet[]): number[] {
    const counts: number[] = []
    for (let n = 0; n < seconds; n++) {
      this.now += TICK
      for (const policy of policies) policy.tick(this.now)
      for (const fleet of fleets) fleet.share(this.now)
      counts.push(fleets.reduce((sum, { workers }) => sum + workers.length, 0))
    }
    return counts
  }
}

/** A group and its applications. */
export function group(
  options: ConstructorParameters<typeof DynamicGroup>[0],
  applications: number,
): { policies: Policy[]; fleets: ImaginedFleet[]; clock: Clock; group: DynamicGroup } {
  const made = new DynamicGroup(options)
  const fleets = Array.from({ length: applications }, () => new ImaginedFleet())
  const policies = fleets.map((fleet) => made.join(fleet))
  return { policies, fleets, clock: new Clock(), group: made }
}
