// Sticky sessions (mod_proxy_balancer): the route in the session id selects the member.
import type { BalanceHints } from '../exchange/balance-hints.ts'
import type { Member } from './members/member.ts'
import type { StickySession } from './options.ts'

/** The session of a request. */
export interface SessionRoute {
  /** Name of the cookie or path parameter that contains the session id. */
  readonly name: string
  /** The route in the session id. */
  readonly route: string
}

/** Finds the member that a session belongs to (Apache `stickysession`). */
export class Sticky {
  readonly #cookie: string
  readonly #parameter: string
  readonly #separator: string | false

  constructor(options: string | StickySession) {
    const full = typeof options === 'string' ? parseNames(options) : options
    this.#cookie = full.cookie
    this.#parameter = full.parameter ?? full.cookie
    this.#separator = full.separator ?? '.'
  }

  /** Name of the cookie, sent as BALANCER_SESSION_STICKY when the request has no session. */
  get name(): string {
    return this.#cookie
  }

  /** Returns the route of a request. The path parameter takes precedence; an id without a separator has no route. */
  routeOf(hints: BalanceHints | undefined): SessionRoute | undefined {
    const parameter = hints?.pathParameter(this.#parameter)
    const session = parameter ?? hints?.cookie(this.#cookie)
    if (session === undefined) return undefined
    const name = parameter === undefined ? this.#cookie : this.#parameter
    const route = this.#routeIn(session)
    return route === '' ? undefined : { name, route }
  }

  /**
   * Returns the available member with this route, or the one that its `redirect` leads to; undefined when there is none.
   * @param tried members on which the request has failed.
   */
  memberOf(
    route: string,
    members: readonly Member[],
    tried: ReadonlySet<Member>,
    now: number,
  ): Member | undefined {
    let wanted: string | undefined = route
    // The number of steps is limited because redirects may form a cycle.
    for (let step = 0; step <= members.length && wanted !== undefined; step++) {
      const named: Member[] = members.filter((member) => member.route === wanted)
      const usable = named.filter((member) => !tried.has(member) && member.takesSession(now))
      const best = usable.find((member) => member.role !== 'standby') ?? usable[0]
      if (best !== undefined) return best
      wanted = named.find((member) => member.redirect !== undefined)?.redirect
    }
    return undefined
  }

  #routeIn(session: string): string {
    if (this.#separator === false) return session
    const at = session.indexOf(this.#separator)
    return at === -1 ? '' : session.slice(at + this.#separator.length)
  }
}

/** Parses Apache's `cookie|parameter`. */
function parseNames(text: string): StickySession {
  const [cookie = text, parameter = cookie] = text.split('|', 2)
  return { cookie, parameter }
}

/** Returns the params that tell the application about the balancer (Apache's BALANCER_ variables). */
export function balancerParams(
  balancer: string,
  member: Member,
  sticky: Sticky | undefined,
  session: SessionRoute | undefined,
): Record<string, string> {
  const params: Record<string, string> = {
    BALANCER_NAME: `balancer://${balancer}`,
    BALANCER_WORKER_NAME: member.name,
    BALANCER_WORKER_ROUTE: member.route ?? '',
  }
  if (sticky === undefined) return params
  params.BALANCER_SESSION_STICKY = session?.name ?? sticky.name
  if (session !== undefined) params.BALANCER_SESSION_ROUTE = session.route
  if (session?.route !== member.route) params.BALANCER_ROUTE_CHANGED = '1'
  return params
}
