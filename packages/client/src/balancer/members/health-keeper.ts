import type { FastCGIError } from '@fastcgi/protocol'
import { OverloadedError } from '../../errors.ts'
import type { BalancerOptions } from '../options.ts'
import { meaningOf } from './failure.ts'
import type { Member } from './member.ts'
import type { MemberList } from './member-list.ts'

/** What a {@link HealthKeeper} tells its balancer. */
export interface HealthChanges {
  /** Somebody may be asked again: those who wait are to try. */
  onBack(): void
  /** Somebody is out, and comes back by the clock. */
  onOut(): void
}

/** Keeps the health of a balancer's members: what answers, failures and checks make of it, and who is told. */
export class HealthKeeper {
  readonly #options: BalancerOptions
  readonly #members: MemberList
  readonly #changes: HealthChanges

  constructor(options: BalancerOptions, members: MemberList, changes: HealthChanges) {
    this.#options = options
    this.#members = members
    this.#changes = changes
  }

  /** Whether nobody that is to take requests is healthy. */
  get allFailed(): boolean {
    const taking = this.#members.all.filter((member) => member.status === 'enabled')
    return taking.length > 0 && taking.every((member) => member.health.failed)
  }

  /** Takes everybody back (Apache `forcerecovery`). */
  forgiveAll(): void {
    for (const member of this.#members.all) this.#forgive(member)
  }

  /** Takes one back, as an operator wants it. */
  recover(member: Member): void {
    this.#forgive(member)
    this.#changes.onBack()
  }

  /** A member answered. `probe` tells that it had been on trial. */
  answered(member: Member, status: number, probe: boolean): void {
    if (this.#options.failOnStatus?.includes(status)) {
      const error = new OverloadedError(`it answered ${status} (option failOnStatus)`)
      this.#count(member, error, { certain: true, probe })
      return
    }
    const before = member.health.failed
    member.health.succeeded(probe)
    if (before && !member.health.failed) this.#recovered(member)
  }

  /** An attempt on it failed. */
  failed(member: Member, error: FastCGIError, probe: boolean): void {
    const meaning = meaningOf(error)
    if (meaning === 'died') member.counters.died++
    if (meaning === 'overloaded') member.counters.overloaded++
    if (meaning === 'died' || meaning === 'sick') this.#count(member, error, { probe })
    else if (probe) this.undecided(member)
  }

  /** Its trial brought nothing: somebody else may be the next. */
  undecided(member: Member): void {
    member.health.undecided(true)
    this.#changes.onBack()
  }

  /** What an active check found. */
  readonly checked = (member: Member, passed: boolean, error: Error | undefined): void => {
    const before = member.health.failed
    member.health.checked(passed)
    if (!passed) member.lastError = { message: error?.message ?? 'check failed', at: new Date() }
    if (before === member.health.failed) return
    if (passed) this.#recovered(member)
    else this.#out(member, error)
  }

  #count(
    member: Member,
    error: FastCGIError,
    { certain = false, probe }: { certain?: boolean; probe: boolean },
  ): void {
    const { retry = 10_000, maxFailures = 3, failureWindow = 10_000 } = this.#options
    member.lastError = { message: error.message, at: new Date() }
    // The only member is never put out: there is nobody to ask instead.
    if (member.ignoreErrors || this.#members.all.length === 1) {
      member.health.undecided(probe)
      return
    }
    const rules = { retry: member.retry ?? retry, maxFailures, failureWindow }
    if (member.health.record(performance.now(), rules, { certain, probe })) this.#out(member, error)
  }

  #forgive(member: Member): void {
    if (!member.health.failed) return
    member.health.forget()
    this.#members.tell(member, 'recovered')
  }

  #out(member: Member, error: Error | undefined): void {
    member.counters.disabled++
    this.#members.tell(member, 'failed', error)
    this.#changes.onOut()
  }

  #recovered(member: Member): void {
    member.recovered(performance.now())
    this.#members.tell(member, 'recovered')
    this.#changes.onBack()
  }
}
