// Applies the results of DNS discovery to the members of a balancer.
import { reportThrown } from '../../callbacks.ts'
import type { DiscoveredMember, DiscoveryResult } from './discovery.ts'

/** The methods of a balancer that {@link DiscoveredMembers} uses. */
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

/** Adds, changes and removes members of a balancer according to the results of DNS lookups. */
export class DiscoveredMembers {
  readonly #balancer: MemberSet
  readonly #grace: number
  readonly #scheme: string
  readonly #names = new Set<string>()
  /** Addresses from DNS that cannot be members, each reported once. */
  readonly #invalid = new Set<string>()
  #notFoundSince: number | undefined

  /**
   * @param grace milliseconds that members are kept after the name has ceased to exist.
   * @param scheme what addresses from DNS begin with.
   */
  constructor(balancer: MemberSet, grace: number, scheme: '' | 'fcgis://' = '') {
    this.#balancer = balancer
    this.#scheme = scheme
    this.#grace = grace
  }

  /**
   * Applies the result of a lookup. Records change the members at once; a name that does not exist removes them after
   * `grace`; without an answer from DNS the members never change.
   */
  apply(result: DiscoveryResult, now: number): void {
    if (result.kind === 'no-answer') return
    if (result.kind === 'members') {
      this.#notFoundSince = undefined
      this.#follow(result.members, result.complete)
      return
    }
    this.#notFoundSince ??= now
    if (now - this.#notFoundSince >= this.#grace) this.#follow([], true)
  }

  #follow(found: readonly DiscoveredMember[], complete: boolean): void {
    const wanted = new Map(found.map((member) => [this.#scheme + member.address, member]))
    for (const name of [...this.#names]) {
      // A missing member is removed only when all name servers have answered.
      if (wanted.has(name) || !complete) continue
      this.#names.delete(name)
      // The member leaves the list at once; its active requests may end.
      void this.#balancer.remove(name).catch(() => {})
    }
    for (const [address, { weight, lbset }] of wanted) {
      try {
        this.#adopt(address, weight, lbset)
      } catch (error) {
        this.#reportInvalid(address, error)
      }
    }
  }

  /** Reports an address from DNS that cannot be a member; the others are used. */
  #reportInvalid(address: string, error: unknown): void {
    if (this.#invalid.has(address)) return
    this.#invalid.add(address)
    reportThrown(`discovery: ${address} cannot be a member; it`, error)
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
