/**
 * Keeps one member well at any time.
 *
 * At every moment one member of the outer balancer is the well one, and nothing is done to it: neither to its processes nor
 * to its place in the balancer. After some seconds another one takes over: it is left alone first, what was done to it is
 * undone, and then both are well for longer than any attempt of a request lasts. So a request that the new one failed,
 * before, has ended when the old one ceases to be well: each request has had a member that was well from its begin to
 * its end.
 */
import type { Random } from '../helpers/random.ts'
import { delay } from '../helpers/wait.ts'
import { MEMBERS, type MemberName } from './gateway/messages.ts'

/** Longer than an attempt lasts: a stopped process is continued after 2.5 s at the most. */
const OVERLAP = 4000
/** How long a member is the well one. */
const TURN: readonly [number, number] = [4000, 10_000]

export class Wellness {
  readonly #random: Random
  readonly #note: (line: string) => void
  readonly #disturbed = new Map<MemberName, Promise<void>>()
  #well: MemberName
  #next: MemberName | undefined

  constructor(random: Random, note: (line: string) => void) {
    this.#random = random
    this.#note = note
    this.#well = this.#other()
  }

  /** Runs what is done to a member, and undone; false when it is to be left alone. */
  async disturb(name: MemberName, run: () => Promise<void>): Promise<boolean> {
    if (name === this.#well || name === this.#next) return false
    const disturbance = run()
    this.#disturbed.set(
      name,
      disturbance.catch(() => {}),
    )
    await disturbance.finally(() => this.#disturbed.delete(name))
    return true
  }

  /** Lets the members take turns in being well. */
  async rotate(running: () => boolean): Promise<void> {
    while (running()) {
      await pause(this.#random.between(...TURN), running)
      this.#next = this.#other()
      await this.#disturbed.get(this.#next)
      await pause(OVERLAP, running)
      if (!running()) return
      this.#note(`${this.#next} is well instead of ${this.#well}`)
      this.#well = this.#next
      this.#next = undefined
    }
  }

  #other(): MemberName {
    const others = MEMBERS.filter((name) => name !== this.#well)
    return others[this.#random.between(0, others.length - 1)] as MemberName
  }
}

/** Lets time pass, but not beyond the end. */
export async function pause(milliseconds: number, running: () => boolean): Promise<void> {
  const end = performance.now() + milliseconds
  while (running() && performance.now() < end)
    await delay(Math.min(100, Math.max(1, end - performance.now())))
}
