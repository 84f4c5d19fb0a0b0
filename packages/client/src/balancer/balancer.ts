import type { FastCGIError } from '@fastcgi/protocol'
import { BaseDispatcher } from '../base-dispatcher.ts'
import type { DispatcherStats } from '../dispatcher.ts'
import { AbortedError, OptionError, OverloadedError } from '../errors.ts'
import { asFastCGIError } from '../exchange/exchange.ts'
import type { DispatchControl, DispatchHandler } from '../exchange/handler.ts'
import type { FastCGIRequest } from '../exchange/request.ts'
import { DEFAULT_TIMEOUTS } from '../options.ts'
import { BalancedExchange, type ExchangeOwner } from './balanced-exchange.ts'
import { DiscoveredMembers } from './members/discovered-members.ts'
import { Discovery } from './members/discovery.ts'
import { HealthCheck } from './members/health-check.ts'
import { HealthKeeper } from './members/health-keeper.ts'
import type { Member } from './members/member.ts'
import { type MemberChange, type MemberEvent, MemberList } from './members/member-list.ts'
import { ByHeartbeat, type Heartbeat } from './methods/heartbeat.ts'
import { createMethod } from './methods/index.ts'
import type { Method } from './methods/method.ts'
import { closedError, noMemberError } from './no-member-error.ts'
import { type BalancerOptions, checkBalancerOptions, type MemberOptions } from './options.ts'
import { PendingRequests, type Waiting } from './pending-requests.ts'
import { explainBody, Intake, isShortStream } from './replay.ts'
import { allFull, eligible, willHaveRoom } from './selection.ts'
import { balancerParams, type SessionRoute, Sticky } from './sticky.ts'
import { sumStats } from './sum-stats.ts'

/** Milliseconds a request waits for the first answer of DNS. */
const FIRST_LOOKUP = 3000

/**
 * Shares requests among members, each a pool of its own (Apache mod_proxy_balancer, lighttpd's fastcgi.server lists).
 * A member that fails is left alone for a while; requests it cannot have begun, or that may be repeated, go to another.
 */
export class Balancer extends BaseDispatcher implements ExchangeOwner {
  readonly name: string
  /** Who takes the next request. */
  readonly method: NonNullable<BalancerOptions['method']>
  readonly #options: BalancerOptions
  readonly #members: MemberList
  readonly #health: HealthKeeper
  readonly #method: Method
  readonly #sticky: Sticky | undefined
  readonly #check: HealthCheck | undefined
  readonly #discovery: Discovery | undefined
  readonly #replayBuffer: number
  readonly #waiting = new PendingRequests()
  readonly #leaving = new Set<Promise<void>>()
  readonly #underWay = new Set<BalancedExchange>()
  #requests = 0
  #failed = 0
  #retries = 0
  #closing = false
  #onDrained: Array<() => void> = []

  /** @throws OptionError */
  constructor(options: BalancerOptions) {
    super()
    checkBalancerOptions(options)
    this.#options = { ...options, failOnStatus: options.failOnStatus?.slice() }
    this.name = options.name ?? 'default'
    this.method = options.method ?? 'least-connection'
    this.#replayBuffer = options.replayBuffer ?? 65_536
    this.#members = new MemberList(this.name, options)
    this.#health = new HealthKeeper(this.#options, this.#members, {
      onBack: () => this.#serveWaiting(),
      onOut: () => this.#scheduleRetry(),
    })
    this.#method = createMethod(options)
    this.#sticky = options.stickySession ? new Sticky(options.stickySession) : undefined
    for (const member of options.members ?? []) this.add(member)
    if (options.healthCheck !== undefined)
      this.#check = new HealthCheck(
        { ...options.healthCheck },
        this.#members.all,
        this.#health.checked,
      )
    const { discover } = options
    if (discover === undefined) return
    const found = new DiscoveredMembers(this, discover.grace ?? 60_000)
    this.#discovery = new Discovery({ ...discover }, (result) =>
      found.apply(result, performance.now()),
    )
  }

  // ---- members

  /** Members, in the order they came. */
  get members(): readonly Member[] {
    return this.#members.all
  }

  /** Adds a member. @throws OptionError, also when there is one of that name. */
  add(member: string | MemberOptions): Member {
    const added = this.#members.add(member, performance.now())
    // Not at once: where several are added, as from DNS, those who wait are not all for the first.
    queueMicrotask(() => this.#serveWaiting())
    return added
  }

  /** Changes a member. @throws OptionError when there is none of that name, or a value is bad. */
  update(name: string, change: MemberChange): void {
    this.#members.update(name, change)
    this.#serveWaiting()
  }

  /** Lets a member serve its sessions to their end; new ones go elsewhere (Apache status N). */
  drain(name: string): void {
    this.update(name, { status: 'draining' })
  }

  /** Takes a member that is out for its failures back at once. @throws OptionError when there is none of that name. */
  recover(name: string): void {
    this.#health.recover(this.#members.named(name))
  }

  /** Takes a member away; resolves when what runs on it has ended. @throws OptionError */
  async remove(name: string): Promise<void> {
    const leaving = this.#members.remove(name).close()
    this.#leaving.add(leaving)
    await leaving.finally(() => this.#leaving.delete(leaving))
  }

  /** Feeds the method `heartbeat`. @throws OptionError when another method is in use. */
  beat(name: string, heartbeat: Heartbeat): void {
    if (!(this.#method instanceof ByHeartbeat))
      throw new OptionError(
        `balancer ${this.name}: beat() feeds the method heartbeat (option method)`,
      )
    this.#method.beat(this.#members.named(name), heartbeat, performance.now())
  }

  /** Calls `listener` for whatever happens to members; returns a function that ends it. */
  onMember(listener: (event: MemberEvent) => void): () => void {
    return this.#members.listen(listener)
  }

  // ---- requests

  /** Requests that wait for a member. */
  get waiting(): Waiting {
    return this.#waiting
  }

  protected override run(request: FastCGIRequest, handler: DispatchHandler): DispatchControl {
    this.#requests++
    let exchange: BalancedExchange
    try {
      exchange = new BalancedExchange(request, handler, this, performance.now())
    } catch (error) {
      this.#failed++
      process.nextTick(() => handler.onError(asFastCGIError(error), false))
      return { resume() {}, abort() {} }
    }
    this.#underWay.add(exchange)
    const refusal = this.#refusal(request)
    if (refusal !== undefined) process.nextTick(() => exchange.fail(refusal))
    else if (isShortStream(request, this.#replayBuffer)) {
      const timeouts = this.#options.timeouts
      const timeout = request.timeouts?.body ?? timeouts?.body ?? DEFAULT_TIMEOUTS.body
      exchange.intake = new Intake(request.body, request.bodyLength, timeout)
      exchange.intake.taken.then(
        (body) => {
          exchange.body = body
          this.#carry(exchange)
        },
        (error) => exchange.fail(error),
      )
    } else this.#carry(exchange)
    return exchange
  }

  override get stats(): DispatcherStats {
    const sum = sumStats(this.members)
    return {
      ...sum,
      queued: sum.queued + this.#waiting.size,
      requests: this.#requests,
      failed: this.#failed,
      retries: this.#retries,
    }
  }

  override async close(): Promise<void> {
    this.#closing = true
    this.#check?.stop()
    this.#discovery?.stop()
    await new Promise<void>((resolve) => {
      this.#onDrained.push(resolve)
      this.#checkDrained()
    })
    this.#waiting.sleep()
    await Promise.all([...this.#leaving, ...this.members.map((member) => member.close())])
  }

  override async destroy(error?: Error): Promise<void> {
    this.#closing = true
    const reason = closedError(this.name, error)
    for (const exchange of [...this.#underWay]) exchange.giveUp(reason, error)
    await Promise.all(this.members.map((member) => member.destroy(error)))
    await this.close()
  }

  #refusal(request: FastCGIRequest): FastCGIError | undefined {
    const most = this.#options.maxRequestsInFlight
    if (this.#closing) return closedError(this.name)
    if (request.signal?.aborted) return new AbortedError({ cause: request.signal.reason })
    if (most !== undefined && this.#underWay.size > most)
      return new OverloadedError(
        `balancer ${this.name} has ${most} requests under way (option maxRequestsInFlight)`,
      )
    return undefined
  }

  /** Finds a member and sends the request to it, or lets it wait. */
  #carry(exchange: BalancedExchange): void {
    if (exchange.over) return
    try {
      this.#place(exchange)
    } catch (error) {
      // The option key, a hint, or a param that cannot be encoded.
      if (exchange.over) throw error
      exchange.giveUp(asFastCGIError(error))
    }
  }

  #place(exchange: BalancedExchange): void {
    const now = performance.now()
    const session = this.#sticky?.routeOf(exchange.request.balance)
    const own = session && this.#sticky?.memberOf(session.route, this.members, exchange.tried, now)
    const member = own ?? (this.#mustStay(session) ? undefined : this.#choose(exchange, now))
    if (member === undefined) {
      this.#postpone(exchange)
      return
    }
    if (exchange.tried.size > 0) this.#retries++
    exchange.start(member, balancerParams(this.name, member, this.#sticky, session))
  }

  /** A route that nobody has, as after a member was renamed, ties a session to nobody. */
  #mustStay(session: SessionRoute | undefined): boolean {
    if (session === undefined || this.#options.nofailover !== true) return false
    return this.members.some((member) => member.route === session.route)
  }

  #choose(exchange: BalancedExchange, now: number): Member | undefined {
    const candidates = this.#candidates(exchange, now)
    if (candidates.length === 0) return undefined
    return this.#method.pick(candidates, exchange.request.balance, now)
  }

  #candidates(exchange: BalancedExchange, now: number = performance.now()): Member[] {
    const found = eligible(this.members, exchange.tried, now)
    if (found.length > 0 || this.#options.forceRecovery === false) return found
    // Rather somebody who is out than nobody: all have failed, or all others have failed this request.
    if (exchange.tried.size > 0)
      return this.members.filter(
        (member) => member.status === 'enabled' && !member.full && !exchange.tried.has(member),
      )
    if (!this.#health.allFailed) return found
    this.#health.forgiveAll()
    return eligible(this.members, exchange.tried, now)
  }

  /** Nobody can take it now: it waits for as long as `timeout` says, or fails. */
  #postpone(exchange: BalancedExchange): void {
    const timeout = this.#patience()
    const left = exchange.startedAt + timeout - performance.now()
    // One that has failed already waits only for those that will have room: its members will not get it again.
    if (left > 0 && (exchange.tried.size === 0 || willHaveRoom(this.members, exchange.tried))) {
      this.#waiting.enter(exchange, left + 1, () => this.#postpone(exchange))
      this.#scheduleRetry()
      return
    }
    exchange.fail(noMemberError(this.name, this.members, timeout, exchange.lastError))
  }

  /** Where DNS has not answered yet, the first requests wait for it. */
  #patience(): number {
    const { timeout = 0 } = this.#options
    const starting = this.#discovery !== undefined && this.members.length === 0
    return starting ? Math.max(timeout, FIRST_LOOKUP) : timeout
  }

  /** Members come back by the clock, of which nobody tells those who wait. */
  #scheduleRetry(): void {
    const now = performance.now()
    const outs = this.members.map((member) => member.health.outFor(now)).filter((out) => out > 0)
    this.#waiting.wake(Math.min(...outs) + 1, () => {
      this.#serveWaiting()
      this.#scheduleRetry()
    })
  }

  #serveWaiting(): void {
    this.#waiting.serve(
      (exchange) => this.#carry(exchange),
      () => allFull(this.members, performance.now()),
    )
  }

  // ---- what exchanges tell

  onAttemptFailed(
    exchange: BalancedExchange,
    member: Member,
    error: FastCGIError,
    retryable: boolean,
    probe: boolean,
  ): void {
    exchange.lastError = error
    this.#health.failed(member, error, probe)
    const most = this.#options.maxAttempts ?? Number.POSITIVE_INFINITY
    const others =
      exchange.tried.size < most &&
      (this.#candidates(exchange).length > 0 || willHaveRoom(this.members, exchange.tried))
    if (retryable && others && !this.#closing) {
      this.#carry(exchange)
      if (this.#members.limited) this.#serveWaiting()
      return
    }
    if (!retryable && others) explainBody(exchange.request, error, this.#replayBuffer)
    exchange.fail(error)
  }

  onAnswered(member: Member, status: number, probe: boolean): void {
    this.#health.answered(member, status, probe)
  }

  onUndecided(member: Member): void {
    this.#health.undecided(member)
  }

  onOver(exchange: BalancedExchange, failed: boolean): void {
    this.#underWay.delete(exchange)
    if (failed) this.#failed++
    this.#waiting.leave(exchange)
    if (this.#members.limited) this.#serveWaiting()
    this.#checkDrained()
  }

  #checkDrained(): void {
    if (this.#closing && this.#underWay.size === 0)
      for (const resolve of this.#onDrained.splice(0)) resolve()
  }
}
