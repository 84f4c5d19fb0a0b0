// The members of a balancer: adding, changing, removing, and the events of these.
import { callSafely } from '../../callbacks.ts'
import { checkOptions } from '../../check-options.ts'
import { publishMember } from '../../diagnostics.ts'
import { OptionError } from '../../errors.ts'
import { type DispatcherEvent, type EventKind, EventLog } from '../../events.ts'
import { type PoolOptions, poolChecks } from '../../options.ts'
import {
  type BalancerOptions,
  checkMemberOptions,
  type MemberOptions,
  memberChangeChecks,
} from '../options.ts'
import { Member } from './member.ts'

/** The options of a member that {@link Balancer.update} can change. */
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

/** The options that `undefined` clears; for others it means no change. */
const CLEARABLE: ReadonlySet<string> = new Set(['route', 'redirect', 'retry'])

/** An event of a member. */
export interface MemberEvent {
  /** Name of the balancer. */
  readonly balancer: string
  /** Name of the member. */
  readonly member: string
  /** `failed`: it has become unavailable. `recovered`: it is available again. */
  readonly event: 'added' | 'removed' | 'changed' | 'failed' | 'recovered'
  /** The cause of `failed`. */
  readonly error?: Error | undefined
  /** What `changed`, by the names of the options. */
  readonly change?: MemberChange | undefined
  /** Who has asked for the change, if that is known. */
  readonly by?: string | undefined
}

/** The members of a balancer in the order in which they were added, and the listeners for their events. */
export class MemberList {
  /** All members, available or not. The array is modified in place. */
  readonly all: Member[] = []
  readonly #balancer: string
  readonly #events = new EventLog()
  readonly #defaults: PoolOptions & { slowStart: number }
  readonly #listeners = new Set<(event: MemberEvent) => void>()

  constructor(balancer: string, options: BalancerOptions) {
    this.#balancer = balancer
    const pool = Object.entries(options).filter(([name]) => Object.hasOwn(poolChecks, name))
    this.#defaults = { ...Object.fromEntries(pool), slowStart: options.slowStart ?? 0 }
  }

  /** Whether a member has a `maxLoad`, so that the end of a request makes room for a waiting one. */
  get limited(): boolean {
    return this.all.some((member) => member.maxLoad < Number.POSITIVE_INFINITY)
  }

  /** The last events of members, the oldest first. */
  get events(): readonly DispatcherEvent[] {
    return this.#events.all
  }

  /** Adds a member. @throws OptionError for an invalid option or address, and when the name is already in use. */
  add(given: string | MemberOptions, now: number, by?: string): Member {
    const options = typeof given === 'string' ? { address: given } : given
    checkMemberOptions(options)
    const member = new Member(options, this.#defaults, now)
    if (this.all.some((known) => known.name === member.name))
      throw new OptionError(
        `balancer ${this.#balancer} has a member ${member.name} already (option name)`,
      )
    member.onEvent = (event) => this.#events.add({ ...event, member: member.name })
    this.all.push(member)
    this.emit(member, 'added', { by })
    return member
  }

  /** Changes options of a member. @throws OptionError for an unknown member, and for an invalid value. */
  update(name: string, change: MemberChange, by?: string): void {
    checkOptions(`balancer ${this.#balancer}, member ${name}`, change, memberChangeChecks)
    const member = this.named(name)
    for (const [option, value] of Object.entries(change))
      if (value !== undefined || CLEARABLE.has(option)) Object.assign(member, { [option]: value })
    this.emit(member, 'changed', { change, by })
    this.#watchDraining(member, change)
  }

  /** Notes when the last request of a draining member has ended. */
  #watchDraining(member: Member, { status }: MemberChange): void {
    if (status === undefined) return
    const drained = (): void => {
      member.onDrained = undefined
      this.#note(member, 'drained', 'its last request has ended')
    }
    member.onDrained = status === 'enabled' ? undefined : drained
    if (member.counters.load === 0) member.onDrained?.()
  }

  /** Removes a member from the list. @throws OptionError for an unknown member. */
  remove(name: string, by?: string): Member {
    const member = this.named(name)
    this.all.splice(this.all.indexOf(member), 1)
    this.emit(member, 'removed', { by })
    return member
  }

  /** Returns a member by its name. @throws OptionError for an unknown member. */
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

  /** Notes an event, publishes it and tells the listeners. */
  emit(member: Member, event: MemberEvent['event'], details: EventDetails = {}): void {
    // Requests that are still active on a removed member cause no events.
    if (event !== 'removed' && !this.all.includes(member)) return
    const told: MemberEvent = { balancer: this.#balancer, member: member.name, event, ...details }
    const [kind, message] = inWords(event, details)
    this.#note(member, kind, message, details)
    publishMember(told)
    for (const listener of [...this.#listeners])
      callSafely('a listener of onMember', () => listener(told))
  }
  #note(member: Member, kind: EventKind, message: string, { error, by }: EventDetails = {}): void {
    const { code } = (error ?? {}) as { code?: unknown }
    const cause = typeof code === 'string' ? { code } : {}
    this.#events.add({ kind, member: member.name, message, ...cause, ...(by && { by }) })
  }
}

type EventDetails = Pick<MemberEvent, 'error' | 'change' | 'by'>

function inWords(
  event: MemberEvent['event'],
  { error, change = {} }: EventDetails,
): [EventKind, string] {
  if (event === 'failed')
    return ['out', `it gets no requests for now: ${error?.message ?? 'the health check failed'}`]
  if (event === 'recovered') return ['back', 'it gets requests again']
  if (event === 'added') return ['added', 'it is a member now']
  if (event === 'removed') return ['removed', 'it is a member no more']
  const options = Object.entries(change).map(
    ([option, value]) => `${option} ${value === undefined ? 'is unset' : `= ${value}`}`,
  )
  return [change.status === 'draining' ? 'draining' : 'changed', options.join(', ')]
}
