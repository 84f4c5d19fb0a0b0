// Apache mod_lbmethod_heartbeat: servers say how many idle workers they have; a random choice weighted by that.
import { OptionError } from '../../errors.ts'
import type { BalanceHints } from '../../exchange/balance-hints.ts'
import type { Member } from '../members/member.ts'
import { ByRequests } from './byrequests.ts'
import type { Method } from './method.ts'

/** What a member says of itself. */
export interface Heartbeat {
  /** Workers that are busy. */
  busy: number
  /** Workers that are idle. */
  ready: number
}

const BELIEVED_FOR = 10_000

/** By the idle workers of members that were heard of in the last ten seconds. */
export class ByHeartbeat implements Method {
  readonly #heard = new WeakMap<Member, { ready: number; at: number }>()
  readonly #unheard = new ByRequests()

  /** A member was heard of. One that is busy with nothing has just started: its ready ones count a quarter. */
  beat(member: Member, { busy, ready }: Heartbeat, now: number): void {
    for (const [name, value] of Object.entries({ busy, ready }))
      if (!(Number.isFinite(value) && value >= 0))
        throw new OptionError(
          `heartbeat of ${member.name}: ${name} must be a number, 0 or more; got ${value}`,
        )
    this.#heard.set(member, { ready: busy === 0 ? ready / 4 : ready, at: now })
  }

  pick(
    members: readonly Member[],
    hints: BalanceHints | undefined,
    now: number,
  ): Member | undefined {
    const ready = members.map((member) => this.#ready(member, now))
    const total = ready.reduce((sum, value) => sum + value, 0)
    // Apache refuses when it has heard of nobody. That says nothing of the members, so ours shares by weight.
    if (total === 0) return this.#unheard.pick(members, hints, now)
    let left = Math.random() * total
    const drawn = members.find((_, at) => {
      left -= ready[at] ?? 0
      return left < 0
    })
    // What is left may be a rounding error.
    return drawn ?? members.findLast((_, at) => (ready[at] ?? 0) > 0)
  }

  #ready(member: Member, now: number): number {
    const heard = this.#heard.get(member)
    return heard === undefined || now - heard.at > BELIEVED_FOR ? 0 : heard.ready
  }
}
