import type { IncomingMessage } from 'node:http'
import type { BalanceHints } from '@fastcgi/client'

/** What a balancer may ask about an HTTP request; nothing is parsed before it asks. */
export class RequestHints implements BalanceHints {
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

  /** In any segment, as servlet containers put `;jsessionid=…` behind the last one. */
  pathParameter(name: string): string | undefined {
    const raw = this.#req.url ?? ''
    const mark = raw.indexOf('?')
    const path = mark === -1 ? raw : raw.slice(0, mark)
    const own = path.includes(';') ? pairValue(path.split(/[;/]/), name) : undefined
    // Apache looks into the query for it as well.
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
