import { checkOptions } from '../../check-options.ts'
import { publishMember } from '../../diagnostics.ts'
import { OptionError } from '../../errors.ts'
import { type PoolOptions, poolChecks } from '../../options.ts'
import {
  type BalancerOptions,
  checkMemberOptions,
  type MemberOptions,
  memberChangeChecks,
} from '../options.ts'
import { Member } from './member.ts'

/** What can be changed about a member while it runs. */
export type MemberChange = Pick<
  MemberOptions,
  | 'weight'
  | 'lbset'
  | 'route'
  | 'redirect'
  | 'status'
  | 'role'
  | 'ignoreErrors'
  | 'retry'
  | 'slowStart'
>

/** What a member can be without; of anything else, undefined changes nothing. */
const CAN_BE_NONE: ReadonlySet<string> = new Set(['route', 'redirect', 'retry'])

/** What happened to a member. */
export interface MemberEvent {
  readonly balancer: string
  readonly member: string
  readonly event: 'added' | 'removed' | 'changed' | 'failed' | 'recovered'
  readonly error?: Error | undefined
}

/** The members of a balancer, in the order they came, and those who want to know of changes. */
export class MemberList {
  /** Whether members are out is theirs to say; this array is changed in place. */
  readonly all: Member[] = []
  readonly #balancer: string
  readonly #defaults: PoolOptions & { slowStart: number }
  readonly #listeners = new Set<(event: MemberEvent) => void>()

  constructor(balancer: string, options: BalancerOptions) {
    this.#balancer = balancer
    const pool = Object.entries(options).filter(([name]) => Object.hasOwn(poolChecks, name))
    this.#defaults = { ...Object.fromEntries(pool), slowStart: options.slowStart ?? 0 }
  }

  /** Whether one of them is given only so many requests at a time: when one is over, there is room for the next. */
  get limited(): boolean {
    return this.all.some((member) => member.maxLoad < Number.POSITIVE_INFINITY)
  }

  /** @throws OptionError, also when there is one of that name. */
  add(given: string | MemberOptions, now: number): Member {
    const options = typeof given === 'string' ? { address: given } : given
    checkMemberOptions(options)
    const member = new Member(options, this.#defaults, now)
    if (this.all.some((known) => known.name === member.name))
      throw new OptionError(
        `balancer ${this.#balancer} has a member ${member.name} already (option name)`,
      )
    this.all.push(member)
    this.tell(member, 'added')
    return member
  }

  /** @throws OptionError when there is none of that name, or a value is bad. */
  update(name: string, change: MemberChange): void {
    checkOptions(`balancer ${this.#balancer}, member ${name}`, change, memberChangeChecks)
    const member = this.named(name)
    for (const [option, value] of Object.entries(change))
      if (value !== undefined || CAN_BE_NONE.has(option)) Object.assign(member, { [option]: value })
    this.tell(member, 'changed')
  }

  /** Takes a member out of the list. @throws OptionError */
  remove(name: string): Member {
    const member = this.named(name)
    this.all.splice(this.all.indexOf(member), 1)
    this.tell(member, 'removed')
    return member
  }

  /** @throws OptionError when there is none of that name. */
  named(name: string): Member {
    const member = this.all.find((known) => known.name === name)
    if (member !== undefined) return member
    const names = this.all.map((known) => known.name).join(', ') || 'none'
    throw new OptionError(`balancer ${this.#balancer} has no member ${name}; there are: ${names}`)
  }

  listen(listener: (event: MemberEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  tell(member: Member, event: MemberEvent['event'], error?: Error): void {
    // What still runs on one that was removed is nobody's business.
    if (event !== 'removed' && !this.all.includes(member)) return
    const told: MemberEvent = { balancer: this.#balancer, member: member.name, event, error }
    publishMember(told)
    for (const listener of this.#listeners) listener(told)
  }
}
