/** Routes of the app beside a proxy with the same URLs: they win, registered before it, after it or in other scopes. */
import { fastcgiProxy } from '@fastcgi/fastify'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import t, { type Test } from 'tap'
import { routerOptions } from '../helpers/framework-versions.ts'
import { startPeer, wellBehaved } from '../helpers/scripted-peer.ts'
import { nothingEscapes } from '../helpers/strict.ts'

nothingEscapes()

type Register = (app: FastifyInstance) => void | Promise<void>
type Order = 'before' | 'after' | 'awaited before' | 'awaited after' | 'in scopes'
const ORDERS: readonly Order[] = ['before', 'after', 'awaited before', 'awaited after', 'in scopes']

/** An app with a proxy at a prefix and own routes, registered in one of the orders. */
async function start(
  t: Test,
  order: Order,
  prefix: string,
  own: Register,
  options: FastifyServerOptions = {},
): Promise<(line: string) => Promise<string>> {
  const peer = await startPeer(wellBehaved(({ params }) => `php ${params.SCRIPT_NAME}`))
  // A copy: Fastify 5.0 writes to it.
  const app = Fastify({ ...options })
  t.teardown(async () => {
    await app.close()
    await peer.close()
  })
  const proxy = { prefix, upstream: peer.address, root: '/srv', checkLocal: false }
  if (order === 'before') {
    await own(app)
    app.register(fastcgiProxy, proxy)
  } else if (order === 'awaited before') {
    await app.register(async (scope) => void (await own(scope)))
    await app.register(fastcgiProxy, proxy)
  } else if (order === 'after') {
    app.register(fastcgiProxy, proxy)
    await own(app)
  } else if (order === 'awaited after') {
    await app.register(fastcgiProxy, proxy)
    await own(app)
  } else {
    app.register(async (scope) => void (await scope.register(fastcgiProxy, proxy)))
    app.register(async (scope) => void (await own(scope)))
  }
  await app.ready()
  return async (line) => {
    const [method = '', url = ''] = line.split(' ')
    const { statusCode, body } = await app.inject({ method: method as 'GET', url })
    return body === '' ? `${statusCode}` : body
  }
}

/** Checks the answers to request lines, in every order of registration. */
function inEveryOrder(
  name: string,
  prefix: string,
  own: Register,
  answers: Record<string, string>,
  options: FastifyServerOptions = {},
): void {
  for (const order of ORDERS)
    t.test(`${name}, ${order}`, async (t) => {
      const ask = await start(t, order, prefix, own, options)
      for (const [line, answer] of Object.entries(answers)) t.equal(await ask(line), answer, line)
    })
}

inEveryOrder("app.get('/')", '/', (app) => void app.get('/', () => 'node'), {
  'GET /': 'node',
  'HEAD /': '200',
  'POST /': 'php /index.php',
  'GET /a.php': 'php /a.php',
})

inEveryOrder("app.get('/shop')", '/shop', (app) => void app.get('/shop', () => 'node'), {
  'GET /shop': 'node',
  'POST /shop': 'php /shop/index.php',
  'GET /shop/': 'php /shop/index.php',
  'GET /shop/a.php': 'php /shop/a.php',
})

inEveryOrder(
  "app.get('/shop') with ignoreTrailingSlash",
  '/shop',
  (app) => void app.get('/shop/', () => 'node'),
  { 'GET /shop': 'node', 'GET /shop/': 'node', 'PUT /shop/': 'php /shop/index.php' },
  routerOptions({ ignoreTrailingSlash: true }),
)

// @fastify/cors registers this route, so that its onRequest hook runs for every OPTIONS request.
inEveryOrder("app.options('*')", '/', (app) => void app.options('*', () => 'cors'), {
  'OPTIONS /': 'cors',
  'OPTIONS /a.php': 'cors',
  'GET /a.php': 'php /a.php',
  'PROPFIND /a.php': 'php /a.php',
})

// @fastify/static registers these routes at '/'.
inEveryOrder("app.get('/*')", '/', (app) => void app.get('/*', () => 'static'), {
  'GET /': 'static',
  'GET /a.php': 'static',
  'HEAD /a.php': '200',
  'POST /': 'php /index.php',
  'POST /a.php': 'php /a.php',
})

inEveryOrder(
  'several methods, parameters and a wildcard below the prefix',
  '/t/:tenant/php',
  (app) => {
    app.route({ method: ['POST', 'PUT'], url: '/t/:id/php/*', handler: () => 'node' })
    app.get('/t/:tenant/php', () => 'node')
  },
  {
    'POST /t/a/php/a.php': 'node',
    'PUT /t/a/php/a.php': 'node',
    'GET /t/a/php': 'node',
    'GET /t/a/php/a.php': 'php /t/a/php/a.php',
  },
)

inEveryOrder(
  'routes with constraints win over those without',
  '/',
  (app) => {
    app.get('/*', { constraints: { host: 'localhost:80' } }, () => 'host')
    app.get('/x.php', () => 'exact')
  },
  { 'GET /a.php': 'host', 'GET /x.php': 'exact', 'POST /a.php': 'php /a.php' },
)

t.test(
  'the routes of a proxy keep the hooks of its scope where own routes come later',
  async (t) => {
    const ran: string[] = []
    const ask = await start(t, 'awaited after', '/', (app) => {
      app.addHook('onRequest', async ({ method }) => void ran.push(method))
      app.get('/*', () => 'node')
    })
    t.equal(await ask('GET /a.php'), 'node')
    t.equal(await ask('POST /a.php'), 'php /a.php')
    t.strictSame(ran, ['GET', 'POST'])
  },
)

t.test('two own routes with the same URL are still refused, and so are two proxies', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const options = { upstream: '127.0.0.1:9', root: '/srv', checkLocal: false }
  await app.register(fastcgiProxy, options)
  app.get('/*', () => 'one')
  t.throws(() => app.get('/*', () => 'two'), { code: 'FST_ERR_DUPLICATED_ROUTE' })
  app.register(
    async (scope) => void (await scope.register(fastcgiProxy, { ...options, name: 'b' })),
  )
  await t.rejects(async () => void (await app.ready()), {
    code: 'FCGI_OPTION',
    message: 'fastcgiProxy: two proxies have the prefix /',
  })
})
