import type { BalanceHints } from '../exchange/balance-hints.ts'
import type { Member } from './members/member.ts'
import type { StickySession } from './options.ts'

/** What a request says of its session. */
export interface SessionRoute {
  /** Name of the cookie or parameter it came in. */
  readonly name: string
  /** The route in it. */
  readonly route: string
}

/** Finds the member a session belongs to (mod_proxy_balancer's stickysession). */
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

  /** Name of the session where a request has none, sent as BALANCER_SESSION_STICKY. */
  get name(): string {
    return this.#cookie
  }

  /** The path parameter counts before the cookie; an id without a separator has no route. */
  routeOf(hints: BalanceHints | undefined): SessionRoute | undefined {
    const parameter = hints?.pathParameter(this.#parameter)
    const session = parameter ?? hints?.cookie(this.#cookie)
    if (session === undefined) return undefined
    const name = parameter === undefined ? this.#cookie : this.#parameter
    const route = this.#routeIn(session)
    return route === '' ? undefined : { name, route }
  }

  /**
   * The member of a route, or the one that stands in for it; undefined when none of them can take it.
   * @param tried members that have failed the request.
   */
  memberOf(
    route: string,
    members: readonly Member[],
    tried: ReadonlySet<Member>,
    now: number,
  ): Member | undefined {
    let wanted: string | undefined = route
    // Redirects may lead in a circle.
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

/** Apache's `cookie|parameter`. */
function parseNames(text: string): StickySession {
  const [cookie = text, parameter = cookie] = text.split('|', 2)
  return { cookie, parameter }
}

/** What the application is told (Apache's BALANCER_ variables). */
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
