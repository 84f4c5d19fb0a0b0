/** The same app on node:http and behind a web server: what the answers are, and whether they are the same. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Test } from 'tap'
import { type AppName, expressApp, fastifyApp } from './sample-apps.ts'
import { within } from './wait.ts'
import { startInFront, type WebServerName } from './web-servers.ts'

const LARGE = 100_000_000

interface Ask {
  method?: string
  path: string
  headers?: Record<string, string>
  body?: string | { bytes: number }
}

interface Answer {
  status: number
  headers: IncomingHttpHeaders
  /** Length and SHA-1. */
  body: string
  text: string
}

const JSON_TYPE = { 'content-type': 'application/json' }
const BYTES_TYPE = { 'content-type': 'application/octet-stream' }

const ASKS: readonly Ask[] = [
  { path: '/describe?a=b&c=%20d%2F', headers: { cookie: 'x=1; y=2', 'x-custom': 'a, b' } },
  { path: '/describe/a%20b/%C3%A9', headers: { authorization: 'Bearer token' } },
  { method: 'HEAD', path: '/describe' },
  { method: 'POST', path: '/json', headers: JSON_TYPE, body: '{"é":[1,2],"a":"b"}' },
  { method: 'POST', path: '/json', headers: JSON_TYPE, body: '{"broken' },
  { method: 'POST', path: '/json', headers: JSON_TYPE, body: '' },
  { method: 'POST', path: '/upload', headers: BYTES_TYPE, body: { bytes: 300_000 } },
  { method: 'POST', path: '/upload', headers: BYTES_TYPE, body: { bytes: LARGE } },
  { path: '/download?bytes=0' },
  { path: '/download?bytes=70000' },
  { path: `/download?bytes=${LARGE}` },
  { path: '/stream' },
  { path: '/redirect' },
  { path: '/moved' },
  { path: '/cookies' },
  { path: '/teapot' },
  { path: '/nothing' },
  { path: '/error' },
  { path: '/rejected' },
  { path: '/none/such' },
  { method: 'DELETE', path: '/thing/7' },
  { method: 'OPTIONS', path: '/thing/7' },
]

/** Of the hop to the client, hence the web server's. */
const HOP = ['connection', 'keep-alive', 'transfer-encoding', 'date', 'server']

/** Fields that web servers drop. */
const DROPPED: Partial<Record<WebServerName, string[]>> = {
  // It drops those without a value.
  lighttpd: ['x-empty'],
}

/** Asks both for everything, and compares status, fields and body. */
export async function compare(t: Test, name: WebServerName, app: AppName): Promise<void> {
  const direct = await startDirect(t, app)
  const { port } = await startInFront(t, name, app)
  for (const ask of ASKS) {
    const what = `${ask.method ?? 'GET'} ${ask.path}`
    const [wanted, got] = await within(
      what,
      Promise.all([send(direct, ask), send(port, ask)]),
      60_000,
    )
    const ignored = [...HOP, ...(DROPPED[name] ?? [])]
    t.strictSame(strip(got, ignored), strip(wanted, ignored), what)
  }
}

function strip({ status, headers, body, text }: Answer, ignored: string[]): object {
  const kept = Object.entries(headers).filter(([name]) => !ignored.includes(name))
  return {
    status,
    headers: Object.fromEntries(kept.sort()),
    body,
    text: text.slice(0, 300),
  }
}

async function startDirect(t: Test, app: AppName): Promise<number> {
  if (app === 'fastify') {
    const fastify = fastifyApp()
    t.teardown(() => fastify.close())
    await fastify.listen({ host: '127.0.0.1', port: 0 })
    return (fastify.server.address() as AddressInfo).port
  }
  const server = createServer(expressApp()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

async function send(port: number, { method = 'GET', path, headers, body }: Ask): Promise<Answer> {
  const length =
    body === undefined ? undefined : typeof body === 'string' ? Buffer.byteLength(body) : body.bytes
  const req = request({
    host: '127.0.0.1',
    port,
    method,
    path,
    agent: false,
    headers: {
      host: 'example.org',
      ...headers,
      ...(length !== undefined && { 'content-length': String(length) }),
    },
  })
  const responded = once(req, 'response')
  if (body !== undefined && typeof body !== 'string') await pipeline(zeros(body.bytes), req)
  else req.end(body)
  const [res] = await responded
  const hash = createHash('sha1')
  let received = 0
  let text = ''
  for await (const chunk of res) {
    received += chunk.length
    if (text.length < 300) text += chunk.toString()
    hash.update(chunk)
  }
  return {
    status: res.statusCode,
    headers: res.headers,
    body: `${received} bytes ${hash.digest('hex')}`,
    text,
  }
}

function zeros(length: number): Readable {
  const chunk = Buffer.alloc(65_536)
  function* chunks() {
    for (let left = length; left > 0; left -= chunk.length) yield chunk.subarray(0, left)
  }
  return Readable.from(chunks(), { objectMode: false })
}
