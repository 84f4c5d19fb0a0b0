// Updates the health of members after answers, failures and health checks, and reports the changes.
import type { FastCGIError } from '@fastcgi/protocol'
import { OverloadedError } from '../../errors.ts'
import { classifyFailure } from '../../exchange/failure.ts'
import type { BalancerOptions } from '../options.ts'
import type { Member } from './member.ts'
import type { MemberList } from './member-list.ts'

/** Receives the changes that a {@link HealthKeeper} makes; implemented by the balancer. */
export interface HealthChanges {
  /** A member may have become available: waiting requests can be sent. */
  onBack(): void
  /** A member has become unavailable; unless a health check failed, it will be available again after some time. */
  onOut(): void
}

/** Applies answers, failures and health checks to the health of a balancer's members. */
export class HealthKeeper {
  readonly #options: BalancerOptions
  readonly #members: MemberList
  readonly #changes: HealthChanges

  constructor(options: BalancerOptions, members: MemberList, changes: HealthChanges) {
    this.#options = options
    this.#members = members
    this.#changes = changes
  }

  /** Whether all enabled members have failed, and there is at least one. */
  get allFailed(): boolean {
    const taking = this.#members.all.filter((member) => member.status === 'enabled')
    return taking.length > 0 && taking.every((member) => member.health.failed)
  }

  /** Makes all failed members available again (Apache `forcerecovery`). */
  recoverAll(): void {
    for (const member of this.#members.all) this.#reset(member)
  }

  /** Makes a failed member available again, by order of an operator. */
  recover(member: Member, by?: string): void {
    this.#reset(member, by)
    this.#changes.onBack()
  }

  /** A member answered. @param probe whether the request was a probe; see {@link Health.chosen}. */
  answered(member: Member, status: number, probe: boolean): void {
    if (this.#options.failOnStatus?.includes(status)) {
      const error = new OverloadedError(`it answered ${status} (option failOnStatus)`)
      this.#recordFailure(member, error, { certain: true, probe })
      return
    }
    const before = member.health.failed
    member.health.succeeded(probe)
    if (before && !member.health.failed) this.#recovered(member)
  }

  /** An attempt on a member failed. */
  failed(member: Member, error: FastCGIError, probe: boolean): void {
    const kind = classifyFailure(error)
    if (kind === 'died') member.counters.died++
    if (kind === 'overloaded') {
      member.counters.overloaded++
      member.lastError = { message: error.message, code: error.code, at: new Date() }
      member.health.refused(performance.now())
    }
    if (kind === 'died' || kind === 'faulty') this.#recordFailure(member, error, { probe })
    else if (probe) this.undecided(member)
  }

  /** A probe had no result, so that another request may be the next probe. */
  undecided(member: Member): void {
    member.health.undecided(true)
    this.#changes.onBack()
  }

  /** Applies the result of active health checks. */
  readonly checked = (member: Member, passed: boolean, error: Error | undefined): void => {
    const before = member.health.failed
    member.health.checked(passed)
    if (!passed) member.lastError = { message: error?.message ?? 'check failed', at: new Date() }
    if (before === member.health.failed) return
    if (passed) this.#recovered(member)
    else this.#out(member, error)
  }

  #recordFailure(
    member: Member,
    error: FastCGIError,
    { certain = false, probe }: { certain?: boolean; probe: boolean },
  ): void {
    const { retry = 10_000, maxFailures = 3, failureWindow = 10_000 } = this.#options
    member.lastError = { message: error.message, code: error.code, at: new Date() }
    // The only member of a balancer stays available, because there is no other to send requests to.
    if (member.ignoreErrors || this.#members.all.length === 1) {
      member.health.undecided(probe)
      return
    }
    const rules = { retry: member.retry ?? retry, maxFailures, failureWindow }
    if (member.health.record(performance.now(), rules, { certain, probe })) this.#out(member, error)
  }

  #reset(member: Member, by?: string): void {
    if (!member.health.failed) return
    member.health.forget()
    member.outSince = undefined
    this.#members.emit(member, 'recovered', { by })
  }

  #out(member: Member, error: Error | undefined): void {
    member.counters.disabled++
    member.outSince ??= new Date()
    this.#members.emit(member, 'failed', { error })
    this.#changes.onOut()
  }

  #recovered(member: Member): void {
    member.recovered(performance.now())
    member.outSince = undefined
    this.#members.emit(member, 'recovered')
    this.#changes.onBack()
  }
}
