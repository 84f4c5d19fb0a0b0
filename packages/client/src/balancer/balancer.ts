import type { FastCGIError } from '@fastcgi/protocol'
import { BaseDispatcher } from '../base-dispatcher.ts'
import type { DispatcherStats } from '../dispatcher.ts'
import { AbortedError, OptionError, OverloadedError } from '../errors.ts'
import type { DispatcherEvent } from '../events.ts'
import type { DispatchControl, DispatchHandler } from '../exchange/handler.ts'
import { asFastCGIError, tellError } from '../exchange/handler-errors.ts'
import type { FastCGIRequest } from '../exchange/request.ts'
import { DEFAULT_TIMEOUTS } from '../options.ts'
import { BalancedExchange, type ExchangeOwner } from './balanced-exchange.ts'
import { DiscoveredMembers } from './members/discovered-members.ts'
import { Discovery, type DiscoveryResult } from './members/discovery.ts'
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
import { BodyCollector, explainNotReplayed, mustBufferBody } from './replay.ts'
import { allFull, eligible, preferWilling, willHaveRoom } from './selection.ts'
import { balancerParams, type SessionRoute, Sticky } from './sticky.ts'
import { sumStats } from './sum-stats.ts'

/** Minimum time in milliseconds that a request waits for the first answer of DNS. */
const FIRST_LOOKUP = 3000

/**
 * Distributes requests among members, each with its own pool (Apache mod_proxy_balancer, lighttpd fastcgi.server lists).
 * A member that fails repeatedly receives no requests for a while. A failed request is sent to another member if the
 * first one cannot have begun to process it, or if it is idempotent.
 */
export class Balancer extends BaseDispatcher implements ExchangeOwner {
  /** Name of the balancer, in BALANCER_NAME, events and messages. */
  readonly name: string
  /** The balancing method in use. */
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

  /** Starts health checks and discovery, if configured. @throws OptionError for an invalid option or address. */
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
    const found = new DiscoveredMembers(this, discover.grace ?? 60_000, options.tls && 'fcgis://')
    const apply = (result: DiscoveryResult): void => found.apply(result, performance.now())
    this.#discovery = new Discovery({ ...discover }, apply)
  }

  // ---- members

  /** The members, in the order in which they were added. */
  get members(): readonly Member[] {
    return this.#members.all
  }

  /**
   * Adds a member.
   * @param by who asks for it, for {@link events}.
   * @throws OptionError for an invalid option or address, and when the name is already in use.
   */
  add(member: string | MemberOptions, by?: string): Member {
    const added = this.#members.add(member, performance.now(), by)
    // Deferred: when several members are added in a row, as from DNS, waiting requests are shared among them all.
    queueMicrotask(() => this.#serveWaiting())
    return added
  }

  /**
   * Changes options of a member.
   * @param by who asks for it, for {@link events}.
   * @throws OptionError for an unknown member, and for an invalid value.
   */
  update(name: string, change: MemberChange, by?: string): void {
    this.#members.update(name, change, by)
    this.#serveWaiting()
  }

  /** Sets a member to draining: it receives only requests of its own sessions (Apache status `N`). @throws OptionError */
  drain(name: string, by?: string): void {
    this.update(name, { status: 'draining' }, by)
  }

  /** Makes a failed member available again at once. @throws OptionError for an unknown member. */
  recover(name: string, by?: string): void {
    this.#health.recover(this.#members.named(name), by)
  }

  /** Removes a member; resolves when its active requests have ended. @throws OptionError for an unknown member. */
  async remove(name: string, by?: string): Promise<void> {
    const leaving = this.#members.remove(name, by).close()
    this.#leaving.add(leaving)
    await leaving.finally(() => this.#leaving.delete(leaving))
  }

  /** Passes a heartbeat to the method `heartbeat`. @throws OptionError also when another method is in use. */
  beat(name: string, heartbeat: Heartbeat): void {
    if (!(this.#method instanceof ByHeartbeat))
      throw new OptionError(
        `balancer ${this.name}: beat() needs the method heartbeat (option method)`,
      )
    this.#method.beat(this.#members.named(name), heartbeat, performance.now())
  }

  /** The last events of members, the oldest first. */
  get events(): readonly DispatcherEvent[] {
    return this.#members.events
  }

  /** Calls `listener` for all events of members. Returns a function that removes the listener. */
  onMember(listener: (event: MemberEvent) => void): () => void {
    return this.#members.listen(listener)
  }

  // ---- requests

  /** The requests that wait for a member. */
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
      process.nextTick(() => tellError(handler, asFastCGIError(error), false))
      return { resume() {}, abort() {} }
    }
    this.#underWay.add(exchange)
    const refusal = this.#refusal(request)
    if (refusal !== undefined)
      process.nextTick(() => exchange.fail(refusal, !(refusal instanceof AbortedError)))
    else if (mustBufferBody(request, this.#replayBuffer)) {
      const timeouts = this.#options.timeouts
      const timeout = request.timeouts?.body ?? timeouts?.body ?? DEFAULT_TIMEOUTS.body
      exchange.bodyCollector = new BodyCollector(request.body, request.bodyLength, timeout)
      exchange.bodyCollector.body.then(
        (body) => {
          exchange.body = body
          this.#assign(exchange)
        },
        (error) => exchange.fail(error, false),
      )
    } else this.#assign(exchange)
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
    this.#waiting.clearRetryTimer()
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
        `balancer ${this.name} has ${most} requests in flight already (option maxRequestsInFlight)`,
      )
    return undefined
  }

  /** Sends the request to a member, or lets it wait for one. */
  #assign(exchange: BalancedExchange): void {
    if (exchange.over) return
    try {
      this.#tryAssign(exchange)
    } catch (error) {
      // The option `key` or a method of BalanceHints has thrown, or a BALANCER_ param cannot be encoded.
      if (exchange.over) throw error
      exchange.giveUp(asFastCGIError(error))
    }
  }

  #tryAssign(exchange: BalancedExchange): void {
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

  /** Whether `nofailover` forbids another member. A route that no member has (any more) does not bind a session. */
  #mustStay(session: SessionRoute | undefined): boolean {
    if (session === undefined || this.#options.nofailover !== true) return false
    return this.members.some((member) => member.route === session.route)
  }

  #choose(exchange: BalancedExchange, now: number): Member | undefined {
    const able = this.#candidates(exchange, now)
    const candidates = this.#method.prefersIdle === true ? preferWilling(able, now) : able
    if (candidates.length === 0) return undefined
    return this.#method.pick(candidates, exchange.request.balance, now)
  }

  #candidates(exchange: BalancedExchange, now: number = performance.now()): Member[] {
    const found = eligible(this.members, exchange.tried, now)
    if (found.length > 0 || this.#options.forceRecovery === false) return found
    // forceRecovery: if all members are unavailable because of failures, or all others have failed this request, failed
    // members are tried nevertheless.
    if (exchange.tried.size > 0)
      return this.members.filter(
        (member) => member.status === 'enabled' && !member.full && !exchange.tried.has(member),
      )
    if (!this.#health.allFailed) return found
    this.#health.recoverAll()
    return eligible(this.members, exchange.tried, now)
  }

  /** No member is available: the request waits until `timeout` has passed, then it fails. */
  #postpone(exchange: BalancedExchange): void {
    const timeout = this.#waitTimeout()
    const left = exchange.startedAt + timeout - performance.now()
    // A request that has failed before waits only for members at their maxLoad: no member receives it a second time.
    if (left > 0 && (exchange.tried.size === 0 || willHaveRoom(this.members, exchange.tried))) {
      this.#waiting.add(exchange, left + 1, () => this.#postpone(exchange))
      this.#scheduleRetry()
      return
    }
    // Either no member was asked, or the failed ones allow another attempt, so an outer dispatcher may make it.
    exchange.fail(noMemberError(this.name, this.members, timeout, exchange.lastError), true)
  }

  /** Milliseconds that a request may wait for a member; at least FIRST_LOOKUP until DNS has answered. */
  #waitTimeout(): number {
    const { timeout = 0 } = this.#options
    const starting = this.#discovery !== undefined && this.members.length === 0
    return starting ? Math.max(timeout, FIRST_LOOKUP) : timeout
  }

  /** Failed members become available when their time is up, without an event; a timer serves waiting requests then. */
  #scheduleRetry(): void {
    const now = performance.now()
    const outs = this.members.map((member) => member.health.outFor(now)).filter((out) => out > 0)
    this.#waiting.setRetryTimer(Math.min(...outs) + 1, () => {
      this.#serveWaiting()
      this.#scheduleRetry()
    })
  }

  #serveWaiting(): void {
    this.#waiting.serve(
      (exchange) => this.#assign(exchange),
      () => allFull(this.members, performance.now()),
    )
  }

  // ---- events of exchanges

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
      this.#assign(exchange)
      if (this.#members.limited) this.#serveWaiting()
      return
    }
    if (!retryable && others) explainNotReplayed(exchange.request, error, this.#replayBuffer)
    exchange.fail(error, retryable)
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
    this.#waiting.remove(exchange)
    if (this.#members.limited) this.#serveWaiting()
    this.#checkDrained()
  }

  #checkDrained(): void {
    if (this.#closing && this.#underWay.size === 0)
      for (const resolve of this.#onDrained.splice(0)) resolve()
  }
}
