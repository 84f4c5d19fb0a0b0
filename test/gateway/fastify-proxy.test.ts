/** The Fastify plugin: prefixes, encapsulation, methods, errors, its end. */
import { once } from 'node:events'
import { Pool } from '@fastcgi/client'
import { fastcgiProxy } from '@fastcgi/fastify'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import t, { type Test } from 'tap'
import { whole } from '../helpers/behind.ts'
import { routerOptions } from '../helpers/framework-versions.ts'
import { KEPT } from '../helpers/kept.ts'
import {
  eachRequest,
  type Peer,
  type PeerRequest,
  startPeer,
  wellBehaved,
} from '../helpers/scripted-peer.ts'
import { until } from '../helpers/wait.ts'

const NAMES = ['REQUEST_METHOD', 'SCRIPT_NAME', 'PATH_INFO', 'REQUEST_URI', 'QUERY_STRING']

async function started(
  t: Test,
  options: FastifyServerOptions = {},
  body: (request: PeerRequest) => string = (request) =>
    NAMES.map((name) => request.params[name]).join(' '),
): Promise<{
  peer: Peer
  app: FastifyInstance
  route: { upstream: string; root: string; checkLocal: false }
}> {
  const peer = await startPeer(wellBehaved(body))
  const app = Fastify(options)
  t.teardown(async () => {
    await app.close()
    await peer.close()
  })
  return { peer, app, route: { upstream: peer.address, root: '/srv', checkLocal: false } }
}

t.test('a prefix, alone and nested, with and without its slash', async (t) => {
  const { app, route } = await started(t)
  app.register(fastcgiProxy, { prefix: '/shop', ...route })
  app.register(
    async (scope) => {
      scope.register(fastcgiProxy, { prefix: '/inner', ...route })
    },
    { prefix: '/outer' },
  )
  const get = async (url: string) => (await app.inject(url)).body
  t.equal(await get('/shop/a.php/x?q'), 'GET /shop/a.php /x /shop/a.php/x?q q')
  t.equal(await get('/shop'), 'GET /shop/index.php  /shop ')
  t.equal(await get('/shop/'), 'GET /shop/index.php  /shop/ ')
  t.equal(await get('/outer/inner/a.php'), 'GET /outer/inner/a.php  /outer/inner/a.php ')
  t.equal((await app.inject('/a.php')).statusCode, 404)
  t.equal((await app.inject('/inner/a.php')).statusCode, 404)
  t.equal((await app.inject('/shop/%2e%2e/a.php')).statusCode, 404, 'out of the prefix')
})

t.test('prefixes with parameters and other alphabets', async (t) => {
  const { app, route } = await started(t)
  app.register(fastcgiProxy, { prefix: '/t/:tenant/php', ...route })
  app.register(fastcgiProxy, { prefix: '/gr\u00fcn', ...route })
  const get = async (url: string) => (await app.inject(url)).body
  t.equal(await get('/t/acme/php/a.php/x'), 'GET /t/acme/php/a.php /x /t/acme/php/a.php/x ')
  t.equal(await get('/gr%C3%BCn/a.php'), 'GET /gr\u00fcn/a.php  /gr%C3%BCn/a.php ')
  const relaxed = await started(t, routerOptions({ caseSensitive: false }))
  relaxed.app.register(fastcgiProxy, { prefix: '/shop', ...relaxed.route })
  t.match((await relaxed.app.inject('/SHOP/a.php')).body, 'GET /SHOP/a.php')
})

t.test('several registrations, each with its own application', async (t) => {
  const { app, route } = await started(t, {}, () => 'one')
  const two = await started(t, {}, () => 'two')
  app.register(fastcgiProxy, { prefix: '/1', ...route })
  app.register(fastcgiProxy, { prefix: '/2', ...two.route })
  t.equal((await app.inject('/1/a.php')).body, 'one')
  t.equal((await app.inject('/2/a.php')).body, 'two')
})

t.test('what is inside does not leak out, hooks of the scope run', async (t) => {
  const { app, route } = await started(t)
  const ran: string[] = []
  app.addHook('onRequest', async (request) => void ran.push(`root ${request.url}`))
  app.register(
    async (scope) => {
      scope.addHook('preHandler', async (request) => void ran.push(`scope ${request.url}`))
      scope.register(fastcgiProxy, route)
    },
    { prefix: '/php' },
  )
  app.post('/json', async (request) => ({ got: request.body }))
  await app.inject('/php/a.php')
  t.strictSame(ran, ['root /php/a.php', 'scope /php/a.php'])
  const response = await app.inject({ method: 'POST', url: '/json', payload: { a: 1 } })
  t.strictSame(response.json(), { got: { a: 1 } }, 'JSON is parsed elsewhere')
  const refused = await app.inject({
    method: 'POST',
    url: '/json',
    payload: '<a/>',
    headers: { 'content-type': 'text/xml' },
  })
  t.equal(refused.statusCode, 415, 'and only JSON')
  t.equal(ran.filter((line) => line.startsWith('scope')).length, 1)
})

t.test('methods', async (t) => {
  const { app, peer, route } = await started(t)
  app.register(fastcgiProxy, route)
  for (const method of [
    'GET',
    'POST',
    'PUT',
    'DELETE',
    'PATCH',
    'OPTIONS',
    'PROPFIND',
    'MKCOL',
  ] as const) {
    const { body } = await app.inject({ method: method as 'GET', url: '/a.php' })
    t.match(body, new RegExp(`^${method} /a.php`))
  }
  const head = await app.inject({ method: 'HEAD', url: '/a.php' })
  t.strictSame([head.statusCode, head.body], [200, ''])
  t.equal(peer.requests.at(-1)?.params.REQUEST_METHOD, 'HEAD')
})

t.test('errors reach the error handler, declined paths the 404 handler', async (t) => {
  const { app } = await started(t)
  app.setErrorHandler((error: Error & { code: string; statusCode: number }, _request, reply) => {
    const { code, statusCode, message, cause } = error
    reply.code(statusCode).send({ code, statusCode, message, cause: (cause as Error).message })
  })
  app.setNotFoundHandler((_request, reply) => void reply.code(404).send('nothing here'))
  app.register(fastcgiProxy, {
    upstream: 'unix:/nowhere/s',
    root: '/',
    exclude: ['/static'],
    logger: quiet,
  })
  const failed = await app.inject('/index.php/%00')
  t.match(failed.json(), { code: 'FCGI_BAD_REQUEST', statusCode: 400 })
  const declined = await app.inject('/static/x')
  t.strictSame([declined.statusCode, declined.body], [404, 'nothing here'])
  const app2 = Fastify()
  t.teardown(() => app2.close())
  app2.setErrorHandler(app.errorHandler)
  app2.register(fastcgiProxy, {
    upstream: 'unix:/nowhere/s',
    root: '/srv',
    checkLocal: false,
    logger: quiet,
  })
  const { code, statusCode, message, cause } = (await app2.inject('/a.php')).json()
  t.strictSame([code, statusCode, message], ['FCGI_CONNECT', 502, 'Bad Gateway'])
  t.match(cause, /cannot connect to unix:\/nowhere\/s/)
})

const quiet = { info() {}, warn() {}, error() {} }

t.test('wrong options are told when the plugin is loaded', async (t) => {
  const load = async (options: object) => {
    const app = Fastify()
    app.register(fastcgiProxy, options)
    try {
      await app.ready()
      return 'ready'
    } catch (error) {
      return `${(error as { code: string }).code} ${(error as Error).message}`
    } finally {
      await app.close()
    }
  }
  t.match(await load({}), /^FCGI_OPTION fastcgiProxy: option upstream is missing/)
  t.match(
    await load({ upstream: '127.0.0.1:9' }),
    /^FCGI_OPTION fastcgiProxy: option root is missing/,
  )
  t.match(
    await load({ upstream: '127.0.0.1:9', root: '/', docroot: '/' }),
    /here it is root or remoteRoot/,
  )
  t.equal(
    await load({ upstream: '127.0.0.1:9', root: '/', logLevel: 'warn', logSerializers: {} }),
    'ready',
  )
  const app = Fastify()
  for (let n = 0; n < 2; n++)
    app.register(fastcgiProxy, { upstream: '127.0.0.1:9', root: '/', replyOnly: true })
  await t.rejects(async () => void (await app.ready()), {
    code: 'FCGI_OPTION',
    message: /two proxies are called \/; .*option name/,
  })
  await app.close()
})

t.test('metadata of the plugin', (t) => {
  const symbols = Object.getOwnPropertySymbols(fastcgiProxy).map(String)
  const meta = Reflect.get(fastcgiProxy, Symbol.for('plugin-meta'))
  t.strictSame(meta, { fastify: '5.x', name: '@fastcgi/fastify' })
  t.ok(symbols.includes('Symbol(skip-override)'), 'reply.fastcgi is there for the whole scope')
  t.end()
})

t.test('it closes what it made, and only that', async (t) => {
  const { app, peer, route } = await started(t)
  const own = await started(t)
  const pool = new Pool(own.peer.address)
  t.teardown(() => pool.destroy())
  app.register(fastcgiProxy, { prefix: '/1', ...route, ...KEPT })
  app.register(fastcgiProxy, { prefix: '/2', ...own.route, upstream: pool })
  await app.inject('/1/a.php')
  await app.inject('/2/a.php')
  t.equal(peer.open, 1, 'kept for the next one')
  await app.close()
  await until('its connection closing', () => peer.open === 0)
  t.equal(pool.stats.requests, 1)
  t.equal((await pool.request({ params: { A: 1 } })).status, 200, 'a pool of the user stays open')
})

t.test('rewriteUrl decides what is run, REQUEST_URI stays what was asked for', async (t) => {
  const rewriteUrl = (request: { url?: string | undefined }) =>
    (request.url ?? '').replace(/^\/old\/(\w+)/, '/new/$1.php?id=7')
  const { app, route } = await started(t, { rewriteUrl })
  app.register(fastcgiProxy, { prefix: '/new', ...route })
  t.equal((await app.inject('/old/page')).body, 'GET /new/page.php  /old/page id=7')
})

t.test('trustProxy', async (t) => {
  const names = [
    'REMOTE_ADDR',
    'REMOTE_PORT',
    'REQUEST_SCHEME',
    'HTTPS',
    'SERVER_NAME',
    'SERVER_PORT',
  ]
  const told = (request: PeerRequest) => names.map((name) => request.params[name]).join(' ')
  const headers = {
    'x-forwarded-for': '203.0.113.9',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'www.example',
  }
  for (const trustProxy of [true, false]) {
    const { app, route } = await started(t, { trustProxy }, told)
    app.register(fastcgiProxy, route)
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as { port: number }
    const text = await (await fetch(`http://127.0.0.1:${port}/a.php`, { headers })).text()
    if (trustProxy) t.equal(text, '203.0.113.9  https on www.example 443')
    else t.match(text, new RegExp(`^127\\.0\\.0\\.1 \\d+ http  127\\.0\\.0\\.1 ${port}$`))
  }
})

t.test('request.log is used where there is no logger', async (t) => {
  const lines: string[] = []
  const stream = { write: (line: string) => void lines.push(line) }
  const { app, peer } = await started(t, { logger: { level: 'warn', stream } })
  const script = eachRequest((_request, connection) => {
    connection.stderr('PHP Warning: x\n')
    connection.write(whole('X: 1\r\n\r\n', 'ok'))
  })
  const noisy = await startPeer(script)
  t.teardown(() => noisy.close())
  app.register(fastcgiProxy, { upstream: noisy.address, root: '/srv', checkLocal: false })
  await app.inject('/a.php')
  const [line] = lines.map((text) => JSON.parse(text))
  t.match(line, { level: 40, reqId: 'req-1', script: '/srv/a.php', msg: /PHP Warning: x/ })
  t.equal(peer.requests.length, 0)
})

t.test('an idle keep-alive client does not hold close() up', async (t) => {
  const { app, route } = await started(t)
  app.register(fastcgiProxy, route)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as { port: number }
  await (await fetch(`http://127.0.0.1:${port}/a.php`)).text()
  const closed = once(app.server, 'close')
  await app.close()
  await closed
  t.pass('closed')
})
