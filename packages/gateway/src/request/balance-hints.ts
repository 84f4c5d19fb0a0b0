import type { IncomingMessage } from 'node:http'
import type { BalanceHints } from '@fastcgi/client'

/**
 * What a balancer may need to know of an HTTP request to choose a member: client address, path, and cookie or path parameter
 * of a sticky session. Cookies and parameters are parsed only when they are read.
 */
export class HTTPBalanceHints implements BalanceHints {
  readonly clientAddress: string
  readonly path: string
  readonly #req: IncomingMessage

  constructor(req: IncomingMessage, clientAddress: string, path: string) {
    this.#req = req
    this.clientAddress = clientAddress || (req.socket.remoteAddress ?? '')
    this.path = path
  }

  cookie(name: string): string | undefined {
    const { cookie } = this.#req.headers
    return cookie === undefined ? undefined : pairValue(cookie.split(';'), name)
  }

  /**
   * A parameter such as `;jsessionid=…` of any path segment (servlet containers append it to the last one), else of the
   * query.
   */
  pathParameter(name: string): string | undefined {
    const raw = this.#req.url ?? ''
    const mark = raw.indexOf('?')
    const path = mark === -1 ? raw : raw.slice(0, mark)
    const own = path.includes(';') ? pairValue(path.split(/[;/]/), name) : undefined
    // Apache's mod_proxy_balancer also looks in the query.
    return own ?? (mark === -1 ? undefined : pairValue(raw.slice(mark + 1).split('&'), name))
  }
}

function pairValue(pairs: readonly string[], name: string): string | undefined {
  for (const pair of pairs) {
    const equals = pair.indexOf('=')
    if (equals !== -1 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim()
  }
  return undefined
}
