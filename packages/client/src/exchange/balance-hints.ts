/**
 * What a balancer may want to know of the request behind a FastCGI request: to keep sessions and keys with a member.
 * A gateway hands it along; without it, methods that need a key fall back to none.
 */
export interface BalanceHints {
  /** Address of the client, the key of the method `sticky`. */
  readonly clientAddress: string
  /** Path of the URL, decoded; the default key of the method `hash`. */
  readonly path: string
  /** Value of a cookie. */
  cookie(name: string): string | undefined
  /** Value of a path parameter, `;name=value` (RFC 3986 §3.3). */
  pathParameter(name: string): string | undefined
}
