/** Hooks of Fastify see the response of the application as they see any other, and request bodies reach it whole. */
import { once } from 'node:events'
import { createGunzip, createGzip } from 'node:zlib'
import { fastcgiProxy } from '@fastcgi/fastify'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { rawRequest } from '../helpers/raw-http.ts'
import {
  eachRequest,
  endRecord,
  type Peer,
  type Script,
  startPeer,
  stdoutRecords,
} from '../helpers/scripted-peer.ts'

const echo: Script = eachRequest(async (request, connection) => {
  const stdin = await request.stdin()
  const { CONTENT_LENGTH, CONTENT_TYPE, REQUEST_METHOD } = request.params
  const head = `Content-Type: text/plain\r\nX-Told: ${REQUEST_METHOD} ${CONTENT_LENGTH} ${CONTENT_TYPE}\r\n\r\n`
  await connection.writeSlowly([
    stdoutRecords(head),
    stdoutRecords(stdin.length > 0 ? stdin : 'empty'),
    endRecord(),
  ])
})

async function started(
  t: Test,
  before: (app: FastifyInstance) => void = () => {},
  script = echo,
): Promise<{ app: FastifyInstance; peer: Peer; port: number }> {
  const peer = await startPeer(script)
  const app = Fastify()
  t.teardown(async () => {
    app.server.closeAllConnections()
    await app.close()
    await peer.close()
  })
  before(app)
  app.register(fastcgiProxy, { upstream: peer.address, root: '/srv', checkLocal: false })
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { app, peer, port: (app.server.address() as { port: number }).port }
}

t.test('an onSend hook sees the stream, and may put another in its place', async (t) => {
  const { port } = await started(t, (app) => {
    app.addHook('onSend', async (_request, reply, payload) => {
      t.type(payload, 'object')
      reply.header('content-encoding', 'gzip').removeHeader('content-length')
      return (payload as NodeJS.ReadableStream).pipe(createGzip())
    })
  })
  const response = await fetch(`http://127.0.0.1:${port}/a.php`, { method: 'POST', body: 'hello' })
  t.equal(response.headers.get('content-encoding'), 'gzip')
  t.equal(await response.text(), 'hello', 'inflated by fetch')
})

t.test('an onSend hook that changes a whole response', async (t) => {
  const whole = eachRequest((_request, connection) => {
    connection.write(
      stdoutRecords('Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello'),
      endRecord(),
    )
  })
  const { app } = await started(
    t,
    (app) => {
      app.addHook('onSend', async (_request, reply, payload) => {
        reply.header('x-hook', 'yes')
        return Buffer.concat([payload as Buffer, Buffer.from(' world')])
      })
    },
    whole,
  )
  const { body, headers } = await app.inject('/a.php')
  t.strictSame([body, headers['x-hook'], headers['content-length']], ['hello world', 'yes', '11'])
})

t.test('headers and cookies that hooks have set stay', async (t) => {
  const cookies = eachRequest((_request, connection) => {
    connection.write(stdoutRecords('Set-Cookie: app=1\r\nSet-Cookie: app2=2\r\n\r\nx'), endRecord())
  })
  const { app } = await started(
    t,
    (app) => {
      app.addHook('onRequest', async (_request, reply) => {
        reply.header('set-cookie', 'own=1').header('x-own', '1')
      })
    },
    cookies,
  )
  const { headers } = await app.inject('/a.php')
  t.strictSame(headers['set-cookie'], ['own=1', 'app=1', 'app2=2'])
  t.equal(headers['x-own'], '1')
})

t.test('inject: GET, HEAD and POST', async (t) => {
  const { app } = await started(t)
  t.equal((await app.inject('/a.php')).body, 'empty')
  const posted = await app.inject({ method: 'POST', url: '/a.php', payload: { a: 1 } })
  t.strictSame([posted.body, posted.headers['x-told']], ['{"a":1}', 'POST 7 application/json'])
  const head = await app.inject({ method: 'HEAD', url: '/a.php' })
  t.strictSame(
    [head.statusCode, head.body, head.headers['x-told']],
    [200, '', 'HEAD undefined undefined'],
  )
})

t.test('bodies of any kind are left as they are, whatever bodyLimit says', async (t) => {
  const { port } = await started(t)
  const post = async (body: string | Buffer, headers: Record<string, string>, method = 'POST') => {
    const response = await fetch(`http://127.0.0.1:${port}/a.php`, {
      method,
      body: Buffer.from(body),
      headers,
    })
    return [response.status, (await response.text()).length, response.headers.get('x-told')]
  }
  const large = 'x'.repeat(2_000_000)
  for (const type of [
    'text/plain',
    'application/json',
    'multipart/form-data; boundary=x',
    'image/png',
  ])
    t.strictSame(await post(large, { 'content-type': type }), [
      200,
      2_000_000,
      `POST 2000000 ${type}`,
    ])
  t.strictSame(await post('{ no json', { 'content-type': 'application/json' }), [
    200,
    9,
    'POST 9 application/json',
  ])
  t.strictSame(await post('abc', {}), [200, 3, 'POST 3 undefined'], 'without a Content-Type')
  t.strictSame(await post('abc', {}, 'DELETE'), [200, 3, 'DELETE 3 undefined'])
  t.strictSame(await post('abc', { 'content-type': 'a/b' }, 'DELETE'), [200, 3, 'DELETE 3 a/b'])
})

t.test(
  'a malformed Content-Type reaches the application, and the connection goes on',
  async (t) => {
    const { port, peer } = await started(t)
    const post =
      'POST /a.php HTTP/1.1\r\nHost: h\r\nContent-Type: ;;;\r\nContent-Length: 3\r\n\r\nabc'
    const next = 'GET /a.php HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'
    const { status, text } = await rawRequest(port, post + next)
    t.equal(status, 200)
    t.equal(text.match(/HTTP\/1\.1 200 OK/g)?.length, 2)
    t.strictSame(peer.requests.map(({ params }) => params.CONTENT_TYPE).sort(), [';;;', undefined])
  },
)

t.test('GET with a body', async (t) => {
  const { port } = await started(t)
  const get = 'GET /a.php HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc'
  const { headers } = await rawRequest(port, get)
  t.equal(headers['x-told'], 'GET 3 undefined')
})

t.test('a compressed stream is inflated to what was sent', async (t) => {
  const { port } = await started(t, (app) => {
    app.addHook('onSend', async (_request, reply, payload) => {
      reply.header('x-gzip', '1').removeHeader('content-length')
      return (payload as NodeJS.ReadableStream).pipe(createGzip())
    })
  })
  const body = Buffer.alloc(500_000, 'abc')
  const response = await fetch(`http://127.0.0.1:${port}/a.php`, { method: 'POST', body })
  const gunzip = createGunzip()
  gunzip.end(Buffer.from(await response.arrayBuffer()))
  const chunks: Buffer[] = []
  gunzip.on('data', (chunk) => chunks.push(chunk))
  await once(gunzip, 'end')
  t.ok(Buffer.concat(chunks).equals(body))
})
