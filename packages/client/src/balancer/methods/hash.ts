// Rendezvous hashing (Thaler, Ravishankar) with weights: lighttpd's "hash" and "sticky" are the same without weights.
import { createHash } from 'node:crypto'
import type { BalanceHints } from '../../exchange/balance-hints.ts'
import type { Member } from '../members/member.ts'
import { ByRequests } from './byrequests.ts'
import type { Method } from './method.ts'

/**
 * The same key always meets the same member, and when a member leaves, only its keys move. Each member draws a number
 * from key and name; -weight / ln(number) is largest with a chance in proportion to the weight.
 */
export class Hash implements Method {
  readonly #key: (hints: BalanceHints) => string
  readonly #keyless = new ByRequests()

  constructor(key: (hints: BalanceHints) => string) {
    this.#key = key
  }

  pick(
    members: readonly Member[],
    hints: BalanceHints | undefined,
    now: number,
  ): Member | undefined {
    // Nothing is known of the request: one key for all of these would mean one member for all.
    if (hints === undefined) return this.#keyless.pick(members, hints, now)
    const key = this.#key(hints)
    let best: Member | undefined
    let most = Number.NEGATIVE_INFINITY
    for (const member of members) {
      const score = -member.weight / Math.log(fraction(key, member.name))
      if (score > most) {
        most = score
        best = member
      }
    }
    return best
  }
}

/** A number between 0 and 1, evenly spread, the same for the same key and name. */
function fraction(key: string, name: string): number {
  const digest = createHash('sha1').update(key).update('\0').update(name).digest()
  return (digest.readUIntBE(0, 6) + 0.5) / 2 ** 48
}
