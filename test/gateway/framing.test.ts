/** Requests that contradict themselves about where their body ends are refused, and run nothing. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { fastcgiProxy } from '@fastcgi/fastify'
import { createGateway } from '@fastcgi/gateway'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { eachAdapter } from '../helpers/adapters.ts'
import { behind, whole } from '../helpers/behind.ts'
import { type RawResponse, rawRequest } from '../helpers/raw-http.ts'
import { rawHTTP2 } from '../helpers/raw-http2.ts'
import { eachRequest, type Peer, startPeer } from '../helpers/scripted-peer.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { within } from '../helpers/wait.ts'

nothingEscapes()

/** Answers with the body. */
const echo = eachRequest(async (request, connection) => {
  connection.write(whole('Content-Type: text/plain\r\n\r\n', await request.stdin()))
})

const CHUNKS = '5\r\nhello\r\n0\r\n\r\n'
const NEXT = 'GET /next.php HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

/** Fields, body, and the status that is expected; 0 is 400 or 501, where Node sees the error after the fields. */
type Case = readonly [fields: readonly string[], body: string, status: number, version?: '1.0']

const CASES: readonly Case[] = [
  [['Content-Length: 5', 'Transfer-Encoding: chunked'], CHUNKS, 400],
  [['Transfer-Encoding: chunked', 'Content-Length: 5'], CHUNKS, 400],
  [['Content-Length: 5', 'Content-Length: 6'], 'hello!', 400],
  [['Content-Length: 5, 6'], 'hello!', 400],
  [['Content-Length: +5'], 'hello', 400],
  [['Content-Length: -5'], 'hello', 400],
  [['Content-Length: 0x5'], 'hello', 400],
  [['Content-Length : 5'], 'hello', 400],
  [['Content-Length:'], 'hello', 400],
  [['Content-Length: 99999999999999999999'], 'hello', 400],
  [['Transfer-Encoding: identity'], 'hello', 0],
  [['Transfer-Encoding: xchunked'], CHUNKS, 0],
  [['Transfer-Encoding: chunked, identity'], CHUNKS, 400],
  [['Transfer-Encoding: chunked, chunked'], CHUNKS, 400],
  [['Transfer-Encoding : chunked'], CHUNKS, 400],
  [['Transfer-Encoding: chunked'], '5\nhello\r\n0\r\n\r\n', 400],
  [['Transfer-Encoding: chunked'], '0x5\r\nhello\r\n0\r\n\r\n', 400],
  // What the parser of Node lets through.
  [['Transfer-Encoding: gzip, chunked'], CHUNKS, 501],
  [['Transfer-Encoding: identity', 'Transfer-Encoding: chunked'], CHUNKS, 501],
  [['Transfer-Encoding: ,chunked'], CHUNKS, 501],
  [['Transfer-Encoding: chunked', 'Connection: keep-alive'], CHUNKS, 400, '1.0'],
]

const head = (fields: readonly string[], version = '1.1'): string =>
  [
    'POST /x.php HTTP/',
    version,
    '\r\nHost: a\r\n',
    ...fields.map((field) => `${field}\r\n`),
    '\r\n',
  ].join('')

function refused(t: Test, answer: RawResponse, peer: Peer, status: number, what: string): void {
  if (status === 0) t.ok([400, 501].includes(answer.status), what)
  else t.equal(answer.status, status, what)
  t.notMatch(answer.text, 'HTTP/1.1 200', what)
  t.strictSame(
    peer.requests.map(({ params }) => params.SCRIPT_NAME),
    [],
    `${what}: nothing is run, not what follows either`,
  )
}

await eachAdapter(t, 'lengths and codings over HTTP/1.1', async (t, adapter) => {
  const { app, peer } = await behind(t, adapter, echo)
  for (const [fields, body, status, version] of CASES) {
    const answer = await within(
      'the end',
      rawRequest(app.port, head(fields, version) + body + NEXT),
    )
    refused(t, answer, peer, status, `${fields} ${version ?? ''}`)
  }
})

await eachAdapter(t, 'with the lenient parser of Node', async (t, adapter) => {
  const { app, peer } = await behind(t, adapter, echo)
  // The option insecureHTTPParser of node:http.
  Object.assign(app.server, { insecureHTTPParser: true })
  for (const fields of [
    ['Content-Length: 5', 'Transfer-Encoding: chunked'],
    ['Transfer-Encoding: chunked', 'Content-Length: 5'],
    ['Content-Length: 0', 'Transfer-Encoding: chunked'],
  ]) {
    const answer = await within('the end', rawRequest(app.port, head(fields) + CHUNKS + NEXT))
    refused(t, answer, peer, 400, `${fields}`)
  }
  for (const coding of ['gzip, chunked', 'chunked, chunked']) {
    const bytes = head([`Transfer-Encoding: ${coding}`]) + CHUNKS + NEXT
    refused(t, await within('the end', rawRequest(app.port, bytes)), peer, 501, coding)
  }
})

await eachAdapter(t, 'what is consistent is run', async (t, adapter) => {
  const { app } = await behind(t, adapter, echo)
  for (const [fields, body] of [
    [['Content-Length: 5'], 'hello'],
    [['Transfer-Encoding: chunked'], CHUNKS],
    [['transfer-encoding: Chunked'], CHUNKS],
    [['Transfer_Encoding: chunked', 'Content-Length: 5'], 'hello'],
  ] as const) {
    const bytes = head([...fields, 'Connection: close']) + body
    const { status, text } = await within('the end', rawRequest(app.port, bytes))
    t.equal(status, 200, `${fields}`)
    t.match(text, 'hello')
  }
})

const SERVERS: Record<
  string,
  (upstream: string) => Promise<[port: number, close: () => Promise<unknown>]>
> = {
  async 'node:http2'(upstream) {
    const gateway = createGateway({ upstream, root: '/srv', checkLocal: false })
    const server: Http2Server = createServer((req, res) =>
      gateway.handler(req as unknown as IncomingMessage, res as unknown as ServerResponse),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const close = async (): Promise<void> => {
      await new Promise((resolve) => server.close(resolve))
      await gateway.close()
    }
    return [(server.address() as AddressInfo).port, close]
  },
  async fastify(upstream) {
    const app = Fastify({ http2: true })
    await app.register(fastcgiProxy, { upstream, root: '/srv', checkLocal: false })
    await app.listen({ host: '127.0.0.1', port: 0 })
    return [(app.server.address() as AddressInfo).port, () => app.close()]
  },
}

const REQUEST = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/x.php'],
  [':authority', 'a'],
] as const

/** Fields and body; undefined ends the stream with its fields. */
const HTTP2: ReadonlyArray<
  readonly [fields: ReadonlyArray<readonly [string, string]>, body?: string]
> = [
  [[['content-length', '5']], 'hell'],
  [[['content-length', '5']], 'hello!'],
  [[['content-length', '5']]],
  [[['content-length', '0']], 'hello'],
  [
    [
      ['content-length', '5'],
      ['content-length', '5'],
    ],
    'hello',
  ],
  [
    [
      ['content-length', '5'],
      ['content-length', '6'],
    ],
    'hello',
  ],
  [[['content-length', '+5']], 'hello'],
  [[['content-length', '5, 5']], 'hello'],
  [[['transfer-encoding', 'chunked']], 'hello'],
  [
    [
      ['transfer-encoding', 'chunked'],
      ['content-length', '5'],
    ],
    'hello',
  ],
  [[['Content-Length', '5']], 'hello'],
  [[['connection', 'content-length']], 'hello'],
]

for (const [name, start] of Object.entries(SERVERS))
  t.test(`lengths and codings over HTTP/2 (${name})`, async (t) => {
    const peer = await startPeer(echo)
    const [port, close] = await start(peer.address)
    t.teardown(async () => {
      await close()
      await peer.close()
    })
    for (const [fields, body] of HTTP2) {
      const { kind } = await rawHTTP2(port, [...REQUEST, ...fields], body)
      t.not(kind, 'response', `${fields} ${body}`)
      for (const request of peer.requests)
        t.fail(`${fields}: ran with ${request.params.CONTENT_LENGTH}`)
    }
    t.strictSame(await rawHTTP2(port, [...REQUEST, ['content-length', '5']], 'hello'), {
      kind: 'response',
    })
    t.strictSame(await rawHTTP2(port, REQUEST, 'hello'), { kind: 'response' })
    t.strictSame(
      peer.requests.map(({ params }) => params.CONTENT_LENGTH),
      ['5', '5'],
    )
  })
