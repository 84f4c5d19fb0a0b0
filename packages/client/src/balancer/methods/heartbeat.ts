// Apache mod_lbmethod_heartbeat: members report their idle workers; a random choice is weighted by these.
import { OptionError } from '../../errors.ts'
import type { BalanceHints } from '../../exchange/balance-hints.ts'
import type { Member } from '../members/member.ts'
import { ByRequests } from './byrequests.ts'
import type { Method } from './method.ts'

/** What a member reports by {@link Balancer.beat}. Numbers are finite and not negative. */
export interface Heartbeat {
  /** Number of busy workers. */
  busy: number
  /** Number of idle workers. */
  ready: number
}

/** How long a heartbeat is valid, in milliseconds. */
const HEARTBEAT_TTL = 10_000

/** Chooses randomly, weighted by the number of idle workers in the heartbeats of the last ten seconds. */
export class ByHeartbeat implements Method {
  readonly #heartbeats = new WeakMap<Member, { ready: number; at: number }>()
  readonly #fallback = new ByRequests()

  /**
   * Stores a heartbeat. A member without busy workers has probably just started, so its idle workers count a quarter.
   * @throws OptionError when a number is negative or not finite.
   */
  beat(member: Member, { busy, ready }: Heartbeat, now: number): void {
    for (const [name, value] of Object.entries({ busy, ready }))
      if (!(Number.isFinite(value) && value >= 0))
        throw new OptionError(
          `heartbeat of ${member.name}: ${name} must be a finite number of 0 or more; got ${value}`,
        )
    this.#heartbeats.set(member, { ready: busy === 0 ? ready / 4 : ready, at: now })
  }

  pick(
    members: readonly Member[],
    hints: BalanceHints | undefined,
    now: number,
  ): Member | undefined {
    const ready = members.map((member) => this.#ready(member, now))
    const total = ready.reduce((sum, value) => sum + value, 0)
    // Without any valid heartbeat Apache refuses the request. Members may be available nevertheless: choose by weight.
    if (total === 0) return this.#fallback.pick(members, hints, now)
    let left = Math.random() * total
    const drawn = members.find((_, at) => {
      left -= ready[at] ?? 0
      return left < 0
    })
    // Because of rounding errors, find() may have found none.
    return drawn ?? members.findLast((_, at) => (ready[at] ?? 0) > 0)
  }

  #ready(member: Member, now: number): number {
    const heartbeat = this.#heartbeats.get(member)
    return heartbeat === undefined || now - heartbeat.at > HEARTBEAT_TTL ? 0 : heartbeat.ready
  }
}
