// lighttpd's "round-robin", which ignores weights.
import type { Member } from '../members/member.ts'
import type { Method } from './method.ts'

/** Chooses the members in turn. */
export class RoundRobin implements Method {
  #last: Member | undefined

  pick(members: readonly Member[]): Member | undefined {
    const at = this.#last === undefined ? -1 : members.indexOf(this.#last)
    this.#last = members[(at + 1) % members.length]
    return this.#last
  }
}
