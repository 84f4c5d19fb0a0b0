import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { FastCGIRequest, FilterRequest, RoleName } from './request/context.ts'
import type { Serve } from './request/exchange.ts'

/** A listener as for node:http. What it returns is of no consequence; errors are its own to handle. */
export type ResponderListener = (req: FastCGIRequest, res: ServerResponse) => unknown

/** A listener that filters `req.fastcgi.data`. It must have read the body before it answers (FastCGI 1.0 §6.4). */
export type FilterListener = (req: FilterRequest, res: ServerResponse) => unknown

/** Decides about a request. Anything thrown is a no, with status 500. */
export type AuthorizerListener = (req: FastCGIRequest) => Decision | Promise<Decision>

/** What `createServer` takes in the place of a listener to serve more than one role; others get UNKNOWN_ROLE. */
export interface RoleListeners {
  responder?: ResponderListener | undefined
  authorizer?: AuthorizerListener | undefined
  filter?: FilterListener | undefined
}

/** A yes with its variables, or the response that the client gets instead. Made by {@link allow} and {@link deny}. */
export interface Decision {
  readonly status: number
  readonly headers: OutgoingHttpHeaders
  readonly body: string | Uint8Array
}

/** A response that denies access. */
export interface Denial {
  /** 300 to 599. @default 403 */
  status?: number
  headers?: OutgoingHttpHeaders
  /** Not shown by Apache's mod_fcgid and mod_authnz_fcgi. @default '' */
  body?: string | Uint8Array
}

/**
 * Lets a request pass (FastCGI 1.0 §6.3).
 * @param variables what the web server hands on to those who answer the request; letters, digits and `_` in the names.
 * @throws TypeError for a name or a value that no field of a response can have.
 */
export function allow(variables: Readonly<Record<string, string>> = {}): Decision {
  const headers: OutgoingHttpHeaders = {}
  for (const [name, value] of Object.entries(variables)) {
    if (!/^[A-Za-z0-9_]+$/.test(name))
      throw new TypeError(`variable ${JSON.stringify(name)}: letters, digits and _ only`)
    if (/[\r\n\0]/.test(value)) throw new TypeError(`variable ${name}: no line ends and no NUL`)
    headers[`Variable-${name}`] = Buffer.from(value).toString('latin1')
  }
  return { status: 200, headers, body: '' }
}

/**
 * Denies access: the client gets this response.
 * @throws RangeError for a status that lets the request pass, or is none.
 */
export function deny({ status = 403, headers = {}, body = '' }: Denial = {}): Decision {
  if (!Number.isInteger(status) || status < 300 || status > 599)
    throw new RangeError(`deny: status must be 300 to 599, got ${status}`)
  return { status, headers, body }
}

/** The roles that there are listeners for. */
export function servedRoles(listeners: RoleListeners): ReadonlySet<RoleName> {
  const names: RoleName[] = ['responder', 'authorizer', 'filter']
  return new Set(names.filter((name) => listeners[name] !== undefined))
}

/** Hands requests to the listener of their role. */
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
