/** Guards with scripted authorizers behind them, in front of a Node route and an application that both count. */
import type { IncomingHttpHeaders } from 'node:http'
import type { AuthorizerOptions } from '@fastcgi/gateway'
import type { Test } from 'tap'
import {
  type AdapterName,
  type AdapterOptions,
  type RunningAdapter,
  startAdapter,
} from './adapters.ts'
import { whole } from './behind.ts'
import { type RawResponse, rawRequest } from './raw-http.ts'
import { eachRequest, type Peer, type Script, startPeer } from './scripted-peer.ts'

/** A guard: what its authorizer does, and its options. */
export interface GuardScript extends Omit<AuthorizerOptions<unknown>, 'script'> {
  /** @default it says yes */
  does?: Script
}

export interface Guarded {
  /** The authorizers, in the order of the guards. */
  asked: readonly Peer[]
  app: RunningAdapter
  /** What got through to the Node route at `/node`. */
  through: Array<{
    headers: IncomingHttpHeaders
    rawHeaders: string[]
    variables: Readonly<Record<string, string>> | undefined
  }>
  /** The application that everything else goes to. */
  behind: Peer
  /** Any request on a connection of its own. */
  send(line: string, fields?: readonly string[], body?: string): Promise<RawResponse>
  /** GET on a connection of its own; by default of the Node route. */
  get(target?: string, fields?: readonly string[]): Promise<RawResponse>
}

/** An authorizer that gives everybody the same answer: a head, which needs its empty line, and a body. */
export function says(head: string, body = ''): Script {
  return eachRequest(async (request, connection) => {
    await request.stdin()
    connection.write(whole(head, body))
    if (!request.keepConnection) connection.finish()
  })
}

export const YES = says('Status: 200 OK\r\n\r\n')
export const NO = says('Status: 403 Forbidden\r\nContent-Type: text/plain\r\n\r\n', 'no')

/** Starts all of them; gone with the test, the adapter first. */
export async function guarded(
  t: Test,
  adapter: AdapterName,
  guards: readonly GuardScript[],
  options: Partial<AdapterOptions> = {},
): Promise<Guarded> {
  const behind = await startPeer(says('Content-Type: text/plain\r\n\r\n', 'application'))
  t.teardown(() => behind.close())
  const asked: Peer[] = []
  const list: AuthorizerOptions<unknown>[] = []
  for (const { does = YES, ...given } of guards) {
    const peer = await startPeer(does)
    t.teardown(() => peer.close())
    asked.push(peer)
    list.push({ upstream: peer.address, root: '/srv/www', retries: 0, ...given })
  }
  const through: Guarded['through'] = []
  const app = await startAdapter(t, adapter, {
    upstream: behind.address,
    root: '/srv/www',
    checkLocal: false,
    guards: list,
    node: (req, res, variables) => {
      const { headers, rawHeaders } = req
      through.push({ headers, rawHeaders, variables: variables && { ...variables } })
      res.end('node')
    },
    ...options,
  })
  const send: Guarded['send'] = (line, fields = [], body = '') => {
    const head = [`${line} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...fields]
    return rawRequest(app.port, `${head.join('\r\n')}\r\n\r\n${body}`)
  }
  const get: Guarded['get'] = (target = '/node', fields = []) => send(`GET ${target}`, fields)
  return { asked, app, through, behind, send, get }
}
