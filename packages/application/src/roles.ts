// Listeners by role, and the decisions of authorizers.
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { FastCGIRequest, FilterRequest } from './request/context.ts'
import type { Serve } from './request/exchange.ts'

/** A request listener as for node:http. Its return value is ignored, and a rejected promise is not handled. */
export type ResponderListener = (req: FastCGIRequest, res: ServerResponse) => unknown

/** A listener that filters `req.fastcgi.data`. It must read the body before the data (FastCGI 1.0 §6.4). */
export type FilterListener = (req: FilterRequest, res: ServerResponse) => unknown

/** Decides about a request: returns {@link allow} or {@link deny}. An exception denies access with status 500. */
export type AuthorizerListener = (req: FastCGIRequest) => Decision | Promise<Decision>

/** Listeners by role, for `createServer`. Requests of a role without a listener are refused with UNKNOWN_ROLE. */
export interface RoleListeners {
  responder?: ResponderListener | undefined
  authorizer?: AuthorizerListener | undefined
  filter?: FilterListener | undefined
}

/** Decision of an authorizer. Created by {@link allow} and {@link deny}. */
export interface Decision {
  readonly status: number
  readonly headers: OutgoingHttpHeaders
  readonly body: string | Uint8Array
}

/** The response that the client gets if access is denied. */
export interface Denial {
  /** Status code, 300 to 599. @default 403 */
  status?: number
  /** Fields of the response. @default {} */
  headers?: OutgoingHttpHeaders
  /** Body of the response; Apache's mod_fcgid and mod_authnz_fcgi do not send it. @default '' */
  body?: string | Uint8Array
}

/**
 * Allows access (FastCGI 1.0 §6.3).
 * @param variables params that the web server adds to the request; names consist of letters, digits and `_`.
 * @throws TypeError for an invalid name, and for a value with a line end or NUL.
 * @example
 * ```js
 * import { allow, createServer, deny } from '@fastcgi/application'
 *
 * const authorizer = (req) => (req.headers.authorization ? allow({ USER: 'alice' }) : deny())
 * createServer({ authorizer }).listen({ host: '127.0.0.1', port: 0 }).close()
 * console.log(allow({ USER: 'alice' }).status) // 200
 * ```
 */
export function allow(variables: Readonly<Record<string, string>> = {}): Decision {
  const headers: OutgoingHttpHeaders = {}
  for (const [name, value] of Object.entries(variables)) {
    if (!/^[A-Za-z0-9_]+$/.test(name))
      throw new TypeError(`allow: variable ${JSON.stringify(name)}: letters, digits and _ only`)
    if (/[\r\n\0]/.test(value))
      throw new TypeError(`allow: variable ${name}: no line ends and no NUL`)
    headers[`Variable-${name}`] = Buffer.from(value).toString('latin1')
  }
  return { status: 200, headers, body: '' }
}

/**
 * Denies access: the client gets this response.
 * @throws RangeError for a status outside 300 to 599.
 * @example
 * ```js
 * import { deny } from '@fastcgi/application'
 *
 * const decision = deny({ status: 401, headers: { 'WWW-Authenticate': 'Basic' }, body: 'Who are you?' })
 * console.log(decision.status) // 401
 * ```
 */
export function deny({ status = 403, headers = {}, body = '' }: Denial = {}): Decision {
  if (!Number.isInteger(status) || status < 300 || status > 599)
    throw new RangeError(`deny: status must be 300 to 599, got ${status}`)
  return { status, headers, body }
}

/** Returns a function that calls the listener of a role. */
export function serveRoles(listeners: RoleListeners, respond: ResponderListener): Serve {
  return (role, req, res) => {
    if (role === 'responder') respond(req, res)
    else if (role === 'filter') listeners.filter?.(req as FilterRequest, res)
    else if (listeners.authorizer !== undefined) authorize(listeners.authorizer, req, res)
  }
}

async function authorize(
  listener: AuthorizerListener,
  req: FastCGIRequest,
  res: ServerResponse,
): Promise<void> {
  let decision: Decision
  try {
    decision = await listener(req)
    res.writeHead(decision.status, decision.headers)
  } catch (error) {
    req.fastcgi.stderr(`authorizer failed: ${error instanceof Error ? error.stack : error}\n`)
    for (const name of res.getHeaderNames()) res.removeHeader(name)
    decision = deny({ status: 500, body: 'Internal Server Error\n' })
    res.writeHead(decision.status, { 'Content-Type': 'text/plain' })
  }
  res.end(decision.body)
}
