/** Fields that an application should not send, sends more than once, or writes in its own case. */
import { createServer, type ServerResponse } from 'node:http'
import { connect, createServer as createServer2, type IncomingHttpHeaders } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { fastcgiProxy } from '@fastcgi/fastify'
import { createGateway } from '@fastcgi/gateway'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { type AdapterName, eachAdapter } from '../helpers/adapters.ts'
import { behind, whole } from '../helpers/behind.ts'
import { type RawResponse, rawGet } from '../helpers/raw-http.ts'
import { eachRequest, type Script, startPeer } from '../helpers/scripted-peer.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { until, within } from '../helpers/wait.ts'

nothingEscapes()

const always = (lines: readonly string[], body: string): Script => {
  const bytes = whole(`${lines.join('\r\n')}\r\n\r\n`, body)
  return eachRequest((_request, connection) => void connection.write(bytes))
}

interface Answer extends RawResponse {
  log: string[]
}

async function got(
  t: Test,
  adapter: AdapterName,
  lines: readonly string[],
  body = 'body',
): Promise<Answer> {
  const { get, app } = await behind(t, adapter, always(lines, body))
  return { ...(await within('a response', get())), log: app.log }
}

eachAdapter(t, 'Transfer-Encoding is dropped with a warning', async (t, adapter) => {
  // A PHP proxy copies the fields that curl received; curl has decoded the body.
  const lines = ['Status: 200', 'Content-Type: text/plain', 'transfer-encoding: chunked']
  const { status, headers, body, log } = await got(t, adapter, [...lines, 'X-Kept: 1'])
  t.equal(status, 200)
  t.equal(body, 'body')
  t.equal(headers['content-length'], '4')
  t.equal(headers['x-kept'], '1')
  t.notOk('transfer-encoding' in headers)
  t.match(log, [/^the application sent transfer-encoding: chunked; dropped/])
})

eachAdapter(t, 'Content-Length, empty or twice', async (t, adapter) => {
  const empty = await got(t, adapter, ['Content-Type: text/plain', 'Content-Length:'])
  t.same([empty.status, empty.body, empty.headers['content-length']], [200, 'body', '4'])
  const twice = ['Content-Length: 4', 'X-A: 1', 'content-length: 4']
  const same = await got(t, adapter, ['Content-Type: text/plain', ...twice])
  t.same([same.status, same.body, same.headers['content-length']], [200, 'body', '4'])
  const other = await got(t, adapter, ['Content-Length: 4', 'Content-Length: 3'])
  t.equal(other.status, 502, 'two that differ are refused')
})

eachAdapter(t, 'bytes over 127 after Content-Length', async (t, adapter) => {
  const disposition = Buffer.from('attachment; filename="gr\u00fcn.txt"').toString('latin1')
  const lines = ['Content-Type: a/b', 'Content-Length: 4', `Content-Disposition: ${disposition}`]
  const { headers } = await got(t, adapter, lines)
  t.equal(headers['content-disposition'], disposition)
})

/** Fields that may come more than once. */
const REPEATABLE = [
  'Accept-CH',
  'Access-Control-Allow-Headers',
  'Access-Control-Allow-Methods',
  'Access-Control-Allow-Origin',
  'Access-Control-Expose-Headers',
  'Allow',
  'Alt-Svc',
  'Clear-Site-Data',
  'Content-Language',
  'DAV',
  'Link',
  'My-Field',
  'NEL',
  'P3P',
  'Permissions-Policy',
  'Set-Cookie',
  'Strict-Transport-Security',
  'Via',
  'X-Frame-Options',
] as const

/** Fields of which recipients can use only one value. */
const SINGLE = [
  'Age',
  'Content-Disposition',
  'Content-Location',
  'Content-Type',
  'Date',
  'ETag',
  'Expires',
  'Last-Modified',
  'Location',
  'Retry-After',
  'Server',
] as const

/** A second occurrence stands apart from the first, and differs from it in case. */
const twice = (names: readonly string[]): string[] => [
  ...names.map((name) => `${name}: one`),
  ...names.map((name) => `${name.toLowerCase()}: two`),
  ...names.map((name) => `${name}: three`),
]

eachAdapter(t, 'every value of a repeated field is passed on, in order', async (t, adapter) => {
  const { headers, log } = await got(t, adapter, twice(REPEATABLE))
  for (const name of REPEATABLE)
    t.equal(headers[name.toLowerCase()], 'one\ntwo\nthree', `${adapter}: ${name}`)
  t.strictSame(log, [])
})

eachAdapter(t, 'of a field that must be single the first is passed on', async (t, adapter) => {
  const { headers, log } = await got(t, adapter, ['Status: 201', ...twice(SINGLE)])
  for (const name of SINGLE) t.equal(headers[name.toLowerCase()], 'one', name)
  for (const name of SINGLE)
    t.ok(
      log.some((line) => line.toLowerCase().includes(` sent ${name.toLowerCase()} more than once`)),
      `${name} is logged`,
    )
})

eachAdapter(t, 'the case of field names', async (t, adapter) => {
  const lines = ['content-TYPE: text/plain', 'X-oDD-Case: 1', 'eTaG: "1"', 'x-odd-CASE: 2']
  const { text } = await got(t, adapter, lines)
  // Fastify keeps fields by their lower-case names.
  const wanted = adapter === 'fastify' ? lines.map(lowerName) : lines
  for (const line of wanted) t.ok(text.includes(`\r\n${line}\r\n`), line)
})

const lowerName = (line: string): string => line.replace(/^[^:]+/, (name) => name.toLowerCase())

t.test('the case of field names when middleware reads the response', async (t) => {
  const peer = await startPeer(always(['X-oDD: 1', 'x-odd: 2', 'Content-TYPE: a/b'], 'body'))
  const gateway = createGateway({ upstream: peer.address, root: '/srv', checkLocal: false })
  const server = createServer((req, res: ServerResponse) => {
    res.setHeader('X-Middleware', '1')
    gateway.handler(req, res)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    server.close()
    await gateway.close()
    await peer.close()
  })
  const { text } = await rawGet((server.address() as AddressInfo).port, '/x.php')
  t.match(text, 'X-Middleware: 1\r\n')
  t.match(text, 'X-oDD: 1\r\nX-oDD: 2\r\n')
  t.match(text, 'Content-TYPE: a/b\r\n')
})

type Logger = { info(): void; warn: typeof Function.prototype; error: typeof Function.prototype }

/** HTTP/2 servers in front of an application; each returns its port. */
const HTTP2: Record<string, (t: Test, upstream: string, logger: Logger) => Promise<number>> = {
  async fastify(t, upstream, logger) {
    const app = Fastify({ http2: true })
    app.register(fastcgiProxy, { upstream, root: '/srv', checkLocal: false, logger } as never)
    await app.listen({ host: '127.0.0.1', port: 0 })
    t.teardown(() => app.close())
    return (app.server.address() as AddressInfo).port
  },
  async 'node:http2'(t, upstream, logger) {
    const gateway = createGateway({ upstream, root: '/srv', checkLocal: false, logger } as never)
    const server = createServer2((req, res) => gateway.handler(req as never, res as never))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.teardown(async () => {
      server.close()
      await gateway.close()
    })
    return (server.address() as AddressInfo).port
  },
}

/** Fields that node:http2 refuses to send twice, beside those of SINGLE. */
const HTTP2_SINGLE = [
  'Access-Control-Allow-Credentials',
  'Access-Control-Max-Age',
  'Content-Encoding',
  'Content-Language',
  'Content-MD5',
  'Host',
  'TK',
  'User-Agent',
  'X-Content-Type-Options',
]

for (const [kind, start] of Object.entries(HTTP2))
  t.test(`HTTP/2: repeated fields (${kind})`, async (t) => {
    const single = [...SINGLE, ...HTTP2_SINGLE]
    const many = REPEATABLE.filter((name) => name !== 'Content-Language')
    const peer = await startPeer(always(['Status: 201', ...twice([...single, ...many])], 'body'))
    t.teardown(() => peer.close())
    const log: string[] = []
    const keep = (_details: object, message: string): void => void log.push(message)
    const port = await start(t, peer.address, { info() {}, warn: keep, error: keep })
    const session = connect(`http://127.0.0.1:${port}`)
    t.teardown(() => session.destroy())
    const stream = session.request({ ':path': '/x.php' }).resume()
    const headers = await within(
      'a response',
      new Promise<IncomingHttpHeaders & { ':status'?: number }>((resolve) =>
        stream.once('response', resolve),
      ),
    )
    t.equal(headers[':status'], 201, 'not 500')
    for (const name of single) t.equal(headers[name.toLowerCase()], 'one', name)
    for (const name of many) {
      const value = headers[name.toLowerCase()] ?? ''
      t.equal([value].flat().join(', '), 'one, two, three', name)
    }
    await until('the warnings', () => log.length >= single.length)
    t.ok(log.every((line) => line.includes('more than once')))
  })
