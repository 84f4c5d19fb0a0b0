// Rendezvous hashing (Thaler, Ravishankar) with weights: lighttpd's "hash" and "sticky" are the same without weights.
import { createHash } from 'node:crypto'
import type { BalanceHints } from '../../exchange/balance-hints.ts'
import type { Member } from '../members/member.ts'
import { ByRequests } from './byrequests.ts'
import type { Method } from './method.ts'

/**
 * Maps a key always to the same member; when a member is removed, only its keys move. Each member has a pseudo-random
 * number in (0, 1), computed from key and name. The probability that -weight / ln(number) is the largest value is
 * proportional to the weight.
 */
export class Hash implements Method {
  readonly #key: (hints: BalanceHints) => string
  readonly #fallback = new ByRequests()

  constructor(key: (hints: BalanceHints) => string) {
    this.#key = key
  }

  pick(
    members: readonly Member[],
    hints: BalanceHints | undefined,
    now: number,
  ): Member | undefined {
    // Without hints there is no key. A constant key would send all these requests to one member.
    if (hints === undefined) return this.#fallback.pick(members, hints, now)
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

/** Returns a number between 0 and 1, uniformly distributed, and the same for the same key and name. */
function fraction(key: string, name: string): number {
  const digest = createHash('sha1').update(key).update('\0').update(name).digest()
  return (digest.readUIntBE(0, 6) + 0.5) / 2 ** 48
}
