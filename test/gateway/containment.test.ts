/** Whatever functions of users and frameworks throw fails one request, and nothing else. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createServer, type ServerResponse } from 'node:http'
import { connect, createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { Balancer, Pool } from '@fastcgi/client'
import { createGateway, type GatewayOptions } from '@fastcgi/gateway'
import t, { type Test } from 'tap'
import { eachAdapter, startAdapter } from '../helpers/adapters.ts'
import { peerAndPool, poolOf } from '../helpers/outcome.ts'
import { rawConnect, rawGet, rawRequest } from '../helpers/raw-http.ts'
import {
  allAtOnce,
  eachRequest,
  endRecord,
  type Peer,
  record,
  response,
  startPeer,
  wellBehaved,
} from '../helpers/scripted-peer.ts'
import { collectWarnings, nothingEscapes } from '../helpers/strict.ts'
import { until } from '../helpers/wait.ts'

nothingEscapes()
const warnings = collectWarnings()

const thrower = (what: string) => (): never => {
  throw new Error(`thrown by ${what}`)
}

async function started(t: Test, body?: string): Promise<Peer> {
  const peer = await startPeer(wellBehaved(() => body ?? 'ok'))
  t.teardown(() => peer.close())
  return peer
}

const optionsFor = (peer: Peer): GatewayOptions<unknown> => ({
  upstream: peer.address,
  root: '/srv',
  checkLocal: false,
})

/** The same server answers again, and holds no connection of the application for the request that failed. */
async function isWell(t: Test, port: number, peer: Peer): Promise<void> {
  await until('connections of the application to be free', () => peer.open <= 1)
  t.equal((await rawGet(port, '/well.php')).status, 200, 'the next request is answered')
}

const breaks = (url: string | undefined): boolean => url?.startsWith('/breaks') === true

await eachAdapter(t, 'writeHead() of another middleware throws', async (t, name) => {
  const peer = await started(t)
  const spoil = (url: string | undefined, res: ServerResponse): void => {
    if (breaks(url)) res.writeHead = thrower('writeHead')
  }
  const running = await startAdapter(t, name, {
    ...optionsFor(peer),
    fastify: (app) => {
      app.addHook('onRequest', async (request, reply) => spoil(request.url, reply.raw))
    },
    express: (app) => {
      app.use((req, res, next) => {
        spoil(req.url, res)
        next()
      })
    },
  })
  if (name === 'http') running.server.prependListener('request', (req, res) => spoil(req.url, res))
  const answer = await rawGet(running.port, '/breaks.php')
  t.equal(answer.status, 500)
  t.equal(running.log.filter((line) => line.includes('thrown by writeHead')).length, 1)
  await isWell(t, running.port, peer)
})

await eachAdapter(t, 'the env function throws', async (t, name) => {
  const peer = await started(t)
  const running = await startAdapter(t, name, {
    ...optionsFor(peer),
    env: (request: unknown) =>
      breaks((request as { url?: string }).url) ? thrower('env')() : { A: 'b' },
  })
  t.equal((await rawGet(running.port, '/breaks.php')).status, 500)
  t.equal(running.log.filter((line) => line.includes('thrown by env')).length, 1)
  await isWell(t, running.port, peer)
})

await eachAdapter(t, 'the logger throws', async (t, name) => {
  const peer = await startPeer(
    eachRequest((request, connection) => {
      connection.write(record(7, 'a warning\n', { id: request.id }))
      connection.write(response('ok'), endRecord())
      if (!request.keepConnection) connection.finish()
    }),
  )
  t.teardown(() => peer.close())
  const log = thrower('the logger')
  const running = await startAdapter(t, name, {
    ...optionsFor(peer),
    logger: { info: log, warn: log, error: log },
  } as GatewayOptions<unknown>)
  t.equal((await rawGet(running.port, '/a.php')).status, 200)
  t.equal((await rawGet(running.port, '/a%00.php')).status, 400)
  await isWell(t, running.port, peer)
})

await eachAdapter(t, 'a request line of HTTP/2 where HTTP/1 is spoken', async (t, name) => {
  const peer = await startPeer(
    wellBehaved((request) => `${request.params.REQUEST_METHOD} ${request.params.CONTENT_LENGTH}`),
  )
  t.teardown(() => peer.close())
  const app = await startAdapter(t, name, optionsFor(peer))
  const head = 'HTTP/2.0\r\nHost: localhost\r\n'
  const upload = `POST /x.php ${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`
  t.match(await rawRequest(app.port, upload), { status: 200, end: 'end', body: /^POST 3/ })
  const gone = await rawConnect(app.port)
  gone.write(`GET /x.php ${head}\r\n`)
  await until('the application to be asked', () => peer.requests.length === 2)
  gone.destroy()
  t.match(await rawGet(app.port, '/x.php'), { status: 200 })
})

t.test('logger: false says nothing', async (t) => {
  const gateway = createGateway({
    upstream: 'fcgi://127.0.0.1:9',
    checkLocal: false,
    logger: false,
  })
  const server = createServer(gateway.handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    server.close()
    await gateway.close()
  })
  const written: unknown[] = []
  const { error } = console
  console.error = (...args) => void written.push(args)
  t.teardown(() => {
    console.error = error
  })
  t.equal((await rawGet((server.address() as AddressInfo).port, '/a.php')).status, 502)
  t.strictSame(written, [])
})

t.test(
  'done throws: of a response, of a stream, of a failure, of a path that is not ours',
  async (t) => {
    const peer = await startPeer(
      eachRequest((request, connection) => {
        const { REQUEST_URI } = request.params
        if (REQUEST_URI === '/stream.php') connection.write(response('a part'))
        else if (REQUEST_URI === '/closes.php') connection.destroy()
        else connection.write(response('ok'), endRecord())
      }),
    )
    t.teardown(() => peer.close())
    const log: string[] = []
    const keep = (_details: object, message: string): void => void log.push(message)
    const gateway = createGateway({
      ...optionsFor(peer),
      exclude: ['/other'],
      logger: { info: keep, warn: keep, error: keep },
    } as GatewayOptions)
    const server = createServer((req, res) => {
      const client = { address: '', scheme: 'http', host: 'a' }
      const request = { req, res, source: req, url: req.url ?? '/', mount: '', client }
      gateway.handle(request, thrower('done'))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.teardown(async () => {
      server.close()
      await gateway.close()
    })
    const { port } = server.address() as AddressInfo
    for (const path of ['/whole.php', '/stream.php', '/closes.php', '/other', '/a%00.php']) {
      log.length = 0
      t.equal((await rawGet(port, path)).status, 500, path)
      t.equal(log.filter((line) => line.includes('thrown by done')).length, 1, path)
    }
    await until('the stream of the application to be let go', () => peer.open <= 1)
  },
)

t.test('a field that HTTP/2 takes once', async (t) => {
  const twice = 'X-Content-Type-Options: nosniff\r\n'.repeat(2)
  const peer = await startPeer(
    eachRequest((_request, connection) => {
      const head = `Status: 200\r\n${twice}Content-Type: text/plain\r\n\r\nhello`
      connection.write(record(6, head), endRecord())
    }),
  )
  t.teardown(() => peer.close())
  const gateway = createGateway({ ...optionsFor(peer), logger: false } as GatewayOptions)
  const server = createHttp2Server(gateway.handler as never)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  t.teardown(async () => {
    client.close()
    server.close()
    await gateway.close()
  })
  for (let n = 0; n < 2; n++) {
    const stream = client.request({ ':path': '/a.php' })
    const status = await new Promise((resolve, reject) => {
      stream.once('response', (headers) => resolve(headers[':status']))
      stream.once('error', reject)
    })
    stream.resume()
    t.ok(status === 200 || status === 500, `the client is answered with ${status}`)
  }
})

t.test('dispatch handlers: each callback fails its own request, others go on', async (t) => {
  const multiplexed = allAtOnce(async (request, connection) => {
    await request.stdin()
    const { id } = request
    connection.write(record(7, 'a line\n', { id }))
    connection.write(record(6, 'Content-Type: text/plain\r\n\r\nok', { id }), record(6, '', { id }))
    connection.write(record(3, Buffer.alloc(8), { id }))
  })
  for (const multiplex of [false, true])
    for (const callback of [
      'onStart',
      'onHead',
      'onData',
      'onFlush',
      'onEnd',
      'onError',
      'onStderr',
    ]) {
      const { pool } = await peerAndPool(t, multiplexed, { multiplex })
      const errors: string[] = []
      pool.dispatch(
        { params: { A: '1' } },
        {
          onHead() {},
          onData: () => true,
          onEnd() {},
          onError: (error) => void errors.push(error.code),
          [callback]: thrower(callback),
        },
      )
      const beside = await Promise.all(
        [1, 2, 3].map(async () => pool.request({ params: { A: '2' } })),
      )
      for (const { status } of beside) t.equal(status, 200, `${callback}, multiplex ${multiplex}`)
      const fails = ['onStart', 'onHead', 'onData'].includes(callback)
      if (fails) await until('its failure', () => errors.length > 0)
      t.strictSame(errors, fails ? ['FCGI_HANDLER'] : [], callback)
      await until('nothing to be under way', () => pool.stats.active === 0)
    }
  t.ok(warnings.some((warning) => warning.message.includes('thrown by onEnd')))
  t.ok(warnings.some((warning) => warning.message.includes('thrown by onStderr')))
})

t.test('a handler that throws when it is told of a failure', async (t) => {
  const pool = poolOf(t, 'fcgi://127.0.0.1:9')
  const handler = { onHead() {}, onData: () => true, onEnd() {}, onError: thrower('onError') }
  for (const params of [{ A: '1' }, { A: 'x'.repeat(20_000_000) }]) {
    const before = warnings.length
    pool.dispatch({ params }, handler)
    await until('the warning', () => warnings.length > before)
    const balancer = new Balancer({ members: [{ address: pool, name: 'a' }] })
    balancer.dispatch({ params }, handler)
    await until('the warning', () => warnings.length > before + 1)
    await balancer.close()
  }
})

t.test('listeners of onMember and subscribers of channels', async (t) => {
  const peer = await started(t)
  const subscriber = thrower('a subscriber')
  const channels = ['attempt', 'member'].map((name) => `fastcgi:${name}`)
  for (const event of ['start', 'end', 'asyncStart', 'asyncEnd', 'error'])
    channels.push(`tracing:fastcgi:exchange:${event}`)
  for (const name of channels) subscribe(name, subscriber)
  t.teardown(() => {
    for (const name of channels) unsubscribe(name, subscriber)
  })
  const balancer = new Balancer({ members: [peer.address, 'fcgi://127.0.0.1:9'], maxFailures: 1 })
  balancer.onMember(thrower('onMember'))
  for (let n = 0; n < 10; n++) t.equal((await balancer.request({ params: { A: '1' } })).status, 200)
  balancer.add({ address: new Pool(peer.address), name: 'another' })
  await balancer.remove('another')
  await balancer.close()
  t.ok(warnings.some((warning) => warning.message.includes('thrown by onMember')))
  t.ok(warnings.some((warning) => warning.message.includes('a subscriber of fastcgi:member')))
  t.ok(warnings.some((warning) => warning.message.includes('tracing:fastcgi:exchange:asyncEnd')))
})
