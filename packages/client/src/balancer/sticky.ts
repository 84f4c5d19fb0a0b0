import type { BalanceHints } from './hints.ts'
import type { Member } from './member.ts'
import type { StickySession } from './options.ts'

/** What a request says of its session. */
export interface SessionRoute {
  /** The session id as it came, with its route. */
  readonly session: string
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

  /** Name of the session, sent as BALANCER_SESSION_STICKY. */
  get name(): string {
    return this.#cookie
  }

  /** The path parameter counts before the cookie; an id without a separator has no route. */
  routeOf(hints: BalanceHints | undefined): SessionRoute | undefined {
    const session = hints?.pathParameter(this.#parameter) ?? hints?.cookie(this.#cookie)
    if (session === undefined) return undefined
    if (this.#separator === false) return { session, route: session }
    const at = session.indexOf(this.#separator)
    if (at === -1) return undefined
    return { session, route: session.slice(at + this.#separator.length) }
  }

  /** The member of a route, or the one that stands in for it; undefined when none of them can take it. */
  memberOf(route: string, members: readonly Member[], now: number): Member | undefined {
    let wanted: string | undefined = route
    // Redirects may lead in a circle.
    for (let step = 0; step <= members.length && wanted !== undefined; step++) {
      const named: Member[] = members.filter((member) => member.route === wanted)
      const usable = named.find((member) => member.takesSession(now))
      if (usable !== undefined) return usable
      wanted = named.find((member) => member.redirect !== undefined)?.redirect
    }
    return undefined
  }
}

/** Apache's `cookie|parameter`. */
function parseNames(text: string): StickySession {
  const [cookie = text, parameter = cookie] = text.split('|', 2)
  return { cookie, parameter }
}
