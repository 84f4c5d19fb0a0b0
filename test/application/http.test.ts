/** What listeners find on req and res: what they find under node:http. */
import { once } from 'node:events'
import { type IncomingHttpHeaders, IncomingMessage, Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer, type FastCGIRequest, fastcgiContext } from '@fastcgi/application'
import t from 'tap'
import { rawRequest } from '../helpers/raw-http.ts'
import { within } from '../helpers/wait.ts'
import { connectTo, startServer } from '../helpers/web-server.ts'

const POST = { REQUEST_METHOD: 'POST' }

t.test('req', async (t) => {
  let seen: FastCGIRequest | undefined
  const { port } = await startServer(t, (req, res) => {
    seen = req
    res.end()
  })
  const web = await connectTo(t, port)
  await web.get({
    id: 5,
    params: {
      ...POST,
      REQUEST_URI: '/a?b',
      HTTP_X_A: 'ü',
      CONTENT_LENGTH: '0',
      REMOTE_ADDR: '192.0.2.1',
      REMOTE_PORT: '99',
      HTTPS: 'on',
      SCRIPT_FILENAME: '/srv/ü',
      USER_NAME: 'ada',
    },
  })
  if (seen === undefined) throw new Error('no request')
  t.match(seen, {
    method: 'POST',
    url: '/a?b',
    httpVersion: '1.1',
    httpVersionMajor: 1,
    complete: true,
  })
  t.equal(seen.headers['x-a'], 'Ã¼', 'latin1, as under node:http')
  t.same(seen.headersDistinct, {
    host: ['localhost'],
    'content-length': ['0'],
    'x-a': ['Ã¼'],
  })
  t.match(seen.socket, { remoteAddress: '192.0.2.1', remotePort: 99, encrypted: true })
  t.equal(seen.fastcgi.role, 'responder')
  t.equal(seen.fastcgi.requestId, 5)
  t.equal(seen.fastcgi.keepConnection, true)
  t.equal(seen.fastcgi.params.SCRIPT_FILENAME, '/srv/ü')
  t.strictSame(seen.fastcgi.variables, { USER_NAME: 'ada' })
  const raw = seen.fastcgi.rawParams
  const at = raw.indexOf('SCRIPT_FILENAME')
  t.equal(raw[at + 1], '/srv/\xc3\xbc', 'each character is a byte')
  t.equal(fastcgiContext(seen), seen.fastcgi)
  t.ok(createServer() instanceof Server)
})

t.test('req.signal, also where IncomingMessage has one of its own', async (t) => {
  const own = Object.getOwnPropertyDescriptor(IncomingMessage.prototype, 'signal')
  Object.defineProperty(IncomingMessage.prototype, 'signal', { get: () => 0, configurable: true })
  t.teardown(() => {
    if (own === undefined) Reflect.deleteProperty(IncomingMessage.prototype, 'signal')
    else Object.defineProperty(IncomingMessage.prototype, 'signal', own)
  })
  const { port } = await startServer(t, (req, res) =>
    res.end(String(req.signal instanceof AbortSignal)),
  )
  const web = await connectTo(t, port)
  t.equal((await web.get({ params: POST })).body, 'true')
})

t.test('HEAD, 204 and 304 have no body, and keep their fields', async (t) => {
  const { port } = await startServer(t, (req, res) => {
    res.statusCode = Number(req.url?.slice(1))
    res.setHeader('X-A', 'b')
    res.setHeader('Content-Length', 4)
    res.end('body')
  })
  const web = await connectTo(t, port)
  const head = await web.get({ params: { REQUEST_METHOD: 'HEAD', REQUEST_URI: '/200' } })
  t.match(head, { status: 200, body: '', headers: { 'content-length': '4', 'x-a': 'b' } })
  for (const status of [204, 304]) {
    const response = await web.get({ params: { REQUEST_URI: `/${status}` } })
    t.match(response, { status, body: '', headers: { 'x-a': 'b' } })
  }
})

t.test(
  'no chunked encoding on the wire, whatever the listener says; no trailers, no 1xx',
  async (t) => {
    const { port } = await startServer(t, (_req, res) => {
      let hinted = false
      res.writeEarlyHints({ link: '</a.css>' }, () => {
        hinted = true
      })
      res.writeContinue()
      res.writeProcessing()
      res.setHeader('Transfer-Encoding', 'chunked')
      res.setHeader('Trailer', 'X-T')
      res.setHeader('Connection', 'close')
      res.writeHead(200, { 'Keep-Alive': 'timeout=3', 'X-A': 'b' })
      res.write('one ')
      res.addTrailers({ 'X-T': '1' })
      setImmediate(() => res.end(`two ${hinted}`))
    })
    const web = await connectTo(t, port)
    const { stdout } = await web.get()
    t.equal(stdout.toString(), 'X-A: b\r\nStatus: 200 OK\r\n\r\none two true')
  },
)

t.test('fields: several Set-Cookie, latin1 values, a reason of its own', async (t) => {
  const { port } = await startServer(t, (_req, res) => {
    res.setHeader('Set-Cookie', ['a=1', 'b=2'])
    res.writeHead(299, 'Quite Fine', { 'X-Latin': 'ü' })
    res.end(Buffer.from('x'))
  })
  const web = await connectTo(t, port)
  const { stdout } = await web.get()
  t.match(
    stdout.toString('latin1'),
    /^Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Latin: ü\r\nStatus: 299 Quite Fine\r\n/,
  )
})

t.test('all forms of write and end', async (t) => {
  const done: string[] = []
  const { port } = await startServer(t, (_req, res) => {
    res.flushHeaders()
    res.cork()
    res.write('ä')
    res.write('c3b6', 'hex', () => done.push('hex'))
    res.uncork()
    res.write(new Uint8Array([0xc3, 0xbc]))
    res.end('!', 'latin1', () => done.push('end'))
  })
  const web = await connectTo(t, port)
  t.equal((await web.get()).body, 'äöü!')
  t.strictSame(done, ['hex', 'end'])
})

t.test(
  'events of a response: finish, then close, once each; of a request: end, then close',
  async (t) => {
    const events: string[] = []
    const { server, port } = await startServer(t, (req, res) => {
      for (const name of ['end', 'close', 'error', 'aborted'])
        req.on(name, () => events.push(`req ${name}`))
      for (const name of ['finish', 'close', 'error'])
        res.on(name, () => {
          events.push(`res ${name}`)
          if (name === 'close') server.emit('over')
        })
      req.resume()
      req.on('end', () => res.end('x'))
    })
    const over = once(server, 'over')
    const web = await connectTo(t, port)
    await web.get({ params: POST, body: 'body' })
    await within('close', over)
    t.strictSame(
      events.filter((name) => name.startsWith('res')),
      ['res finish', 'res close'],
    )
    t.strictSame(
      events.filter((name) => name.startsWith('req')),
      ['req end', 'req close'],
    )
  },
)

t.test('several params of one name: the fields are joined as under node:http', async (t) => {
  const cookies = ['a=1', 'b=2; c=3']
  const addresses = ['192.0.2.1', '192.0.2.2, 192.0.2.3']
  const headersOf = async (server: Server): Promise<IncomingHttpHeaders> => {
    const [req, res] = (await within('request', once(server, 'request'))) as [
      FastCGIRequest,
      ServerResponse,
    ]
    res.end()
    return req.headers
  }
  const http = new Server().listen(0, '127.0.0.1')
  t.teardown(() => http.close())
  await once(http, 'listening')
  const plain = headersOf(http)
  const fields = [
    ...cookies.map((value) => `Cookie: ${value}`),
    ...addresses.map((value) => `X-Forwarded-For: ${value}`),
    'Host: localhost',
    'User-Agent: one',
    'User-Agent: two',
  ]
  const head = ['GET / HTTP/1.1', ...fields, 'Connection: close', '', ''].join('\r\n')
  await rawRequest((http.address() as AddressInfo).port, head)
  const { server, port } = await startServer(t, {})
  const overFastCGI = headersOf(server)
  const web = await connectTo(t, port)
  const more: Array<[string, string]> = [
    ...cookies.map((value): [string, string] => ['HTTP_COOKIE', value]),
    ...addresses.map((value): [string, string] => ['HTTP_X_FORWARDED_FOR', value]),
    ['HTTP_USER_AGENT', 'one'],
    ['HTTP_USER_AGENT', 'two'],
  ]
  await web.get({ more })
  const { connection: _, ...wanted } = await plain
  t.strictSame({ ...(await overFastCGI) }, { ...wanted })
  t.equal(wanted.cookie, 'a=1; b=2; c=3')
  t.equal(wanted['x-forwarded-for'], '192.0.2.1, 192.0.2.2, 192.0.2.3')
})

t.test("createServer() and on('request')", async (t) => {
  const { server, port } = await startServer(t, {})
  const web = await connectTo(t, port)
  t.equal((await web.get()).end?.protocolStatus, 3, 'no responder yet')
  const listener = (_req: unknown, res: ServerResponse): void => void res.end('listener')
  server.on('request', listener)
  t.equal((await web.get()).body, 'listener')
  t.equal((await web.get({ role: 2 })).end?.protocolStatus, 3, 'but no authorizer')
  server.off('request', listener)
  t.equal((await web.get()).end?.protocolStatus, 3)
})
