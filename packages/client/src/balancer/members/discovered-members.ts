import type { DiscoveredMember, DiscoveryResult } from './discovery.ts'

/** What of a balancer {@link DiscoveredMembers} uses. */
export interface MemberSet {
  readonly members: ReadonlyArray<{
    readonly name: string
    readonly weight: number
    readonly lbset: number
  }>
  add(member: { address: string; name: string; weight: number; lbset: number }): unknown
  update(name: string, change: { weight: number; lbset: number }): void
  remove(name: string): Promise<void>
}

/** Keeps the members of a balancer in step with what DNS says. */
export class DiscoveredMembers {
  readonly #balancer: MemberSet
  readonly #grace: number
  readonly #names = new Set<string>()
  #goneSince: number | undefined

  constructor(balancer: MemberSet, grace: number) {
    this.#balancer = balancer
    this.#grace = grace
  }

  /** Takes a look-up's result over. An answer changes members at once; silence changes nothing, however long. */
  apply(result: DiscoveryResult, now: number): void {
    if (result.kind === 'silence') return
    if (result.kind === 'members') {
      this.#goneSince = undefined
      this.#follow(result.members, result.complete)
      return
    }
    this.#goneSince ??= now
    if (now - this.#goneSince >= this.#grace) this.#follow([], true)
  }

  #follow(found: readonly DiscoveredMember[], complete: boolean): void {
    const wanted = new Map(found.map((member) => [member.address, member]))
    for (const name of [...this.#names]) {
      // Of half an answer it cannot be said what it leaves out.
      if (wanted.has(name) || !complete) continue
      this.#names.delete(name)
      // What runs on it may end; it is out of the list at once.
      void this.#balancer.remove(name).catch(() => {})
    }
    for (const { address, weight, lbset } of wanted.values()) this.#adopt(address, weight, lbset)
  }

  #adopt(address: string, weight: number, lbset: number): void {
    const known = this.#balancer.members.find((member) => member.name === address)
    if (known === undefined) {
      this.#names.add(address)
      this.#balancer.add({ address, name: address, weight, lbset })
    } else if (this.#names.has(address) && (known.weight !== weight || known.lbset !== lbset))
      this.#balancer.update(address, { weight, lbset })
  }
}
