/**
 * Properties of the HTTP request from which a balancer derives session routes and hash keys. A gateway provides them.
 * Without them there are no sticky sessions, and the methods `hash` and `sticky` choose as `byrequests` does.
 */
export interface BalanceHints {
  /** IP address of the HTTP client, the key of the method `sticky`. */
  readonly clientAddress: string
  /** Decoded path of the URL, the default key of the method `hash`. */
  readonly path: string
  /** Returns the value of a cookie. */
  cookie(name: string): string | undefined
  /** Returns the value of a path parameter, `;name=value` (RFC 3986 §3.3). */
  pathParameter(name: string): string | undefined
}
