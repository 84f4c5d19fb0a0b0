/** The Express middleware: mounting, passing on, errors, and middleware around it. */
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { OptionError } from '@fastcgi/client'
import { type FastCGIMiddleware, fastcgiProxy } from '@fastcgi/express'
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express'
import t, { type Test } from 'tap'
import { REST } from '../helpers/framework-versions.ts'
import { KEPT } from '../helpers/kept.ts'
import { rawGet, rawRequest } from '../helpers/raw-http.ts'
import {
  eachRequest,
  endRecord,
  type Peer,
  type PeerRequest,
  startPeer,
  stdoutRecords,
} from '../helpers/scripted-peer.ts'
import { until } from '../helpers/wait.ts'

const NAMES = ['SCRIPT_NAME', 'PATH_INFO', 'REQUEST_URI', 'QUERY_STRING']
const quiet = { info() {}, warn() {}, error() {} }

interface Started {
  peer: Peer
  app: Express
  /** Options of a proxy to the peer. */
  route: { upstream: string; root: string; checkLocal: false; logger: typeof quiet }
  proxy(options?: object): FastCGIMiddleware
  /** Starts to listen. */
  listen(): Promise<{ port: number; server: Server }>
  get(target: string, fields?: string[]): Promise<Awaited<ReturnType<typeof rawGet>>>
}

async function started(t: Test, tell = told): Promise<Started> {
  const peer = await startPeer(
    eachRequest(async (request, connection) => {
      await request.stdin()
      connection.write(
        stdoutRecords(`Set-Cookie: app=1\r\nX-App: 1\r\n\r\n${tell(request)}`),
        endRecord(),
      )
    }),
  )
  const app = express()
  app.set('env', 'production')
  const proxies: FastCGIMiddleware[] = []
  let listening: Promise<{ port: number; server: Server }> | undefined
  const route = { upstream: peer.address, root: '/srv', checkLocal: false, logger: quiet } as const
  const proxy = (options: object = {}) => {
    const made = fastcgiProxy({ ...route, ...options })
    proxies.push(made)
    return made
  }
  const listen = () =>
    (listening ??= new Promise((resolve) => {
      const server = createServer(app)
      t.teardown(async () => {
        server.closeAllConnections()
        await new Promise((done) => server.close(done))
        await Promise.all(proxies.map((each) => each.close()))
        await peer.close()
      })
      server.listen(0, '127.0.0.1', () =>
        resolve({ port: (server.address() as AddressInfo).port, server }),
      )
    }))
  const get = async (target: string, fields?: string[]) =>
    rawGet((await listen()).port, target, fields)
  return { peer, app, route, proxy, listen, get }
}

function told(request: PeerRequest): string {
  return NAMES.map((name) => request.params[name]).join(' ')
}

t.test('mount points', async (t) => {
  const { app, proxy, get } = await started(t)
  app.use('/shop', proxy())
  app.use('/t/:tenant/php', proxy())
  t.equal((await get('/shop/a.php/x?q')).body, '/shop/a.php /x /shop/a.php/x?q q')
  t.equal((await get('/shop?q')).body, '/shop/index.php  /shop?q q')
  t.equal((await get('/SHOP/a.php')).body, '/SHOP/a.php  /SHOP/a.php ')
  t.equal((await get('/t/acme%20x/php/a.php')).body, '/t/acme x/php/a.php  /t/acme%20x/php/a.php ')
  t.equal((await get('/shop/../a.php')).status, 404, 'out of the mount point')
  t.equal((await get('/shop/%00')).status, 400)
  t.equal((await get('/shop/%ZZ')).status, 400)
})

t.test('routers in routers', async (t) => {
  const { app, proxy, get } = await started(t)
  const inner = express.Router()
  inner.use('/b', proxy())
  const outer = express.Router()
  outer.use('/a', inner)
  app.use('/x', outer)
  t.equal((await get('/x/a/b/c.php?q')).body, '/x/a/b/c.php  /x/a/b/c.php?q q')
})

t.test('as the handler of a route', async (t) => {
  const { app, proxy, get } = await started(t)
  app.get(`/r/${REST}`, proxy())
  t.equal((await get('/r/c.php')).body, '/r/c.php  /r/c.php ')
})

t.test('what is declined goes on', async (t) => {
  const { app, proxy, get } = await started(t)
  app.use(proxy({ exclude: ['/static'] }))
  app.use((req, res) => void res.status(404).send(`next ${req.url}`))
  const { status, body } = await get('/static/x?y')
  t.strictSame([status, body], [404, 'next /static/x?y'])
  t.equal((await get('/a.php')).status, 200)
})

t.test('failures reach error handlers, with an unchanged req.url', async (t) => {
  const { app, proxy, get } = await started(t)
  app.use('/php', proxy({ upstream: 'unix:/nowhere/s' }))
  const handler: ErrorRequestHandler = (error, req, res, _next) => {
    const { status, statusCode, code, expose, headers } = error
    res
      .status(200)
      .json({ status, statusCode, code, expose, headers, url: req.url, cause: error.cause.message })
  }
  app.use('/php', handler)
  const failed = JSON.parse((await get('/php/a.php?x')).body)
  t.match(failed, {
    status: 502,
    statusCode: 502,
    code: 'FCGI_CONNECT',
    expose: false,
    headers: {},
    url: '/a.php?x',
  })
  t.match(failed.cause, /unix:\/nowhere\/s/)
  const bad = JSON.parse((await get('/php/%00')).body)
  t.match(bad, { status: 400, code: 'FCGI_BAD_REQUEST', expose: true, url: '/%00' })
})

t.test('without an error handler: the status, and nothing of the reason', async (t) => {
  const { app, proxy, get } = await started(t)
  app.use(proxy({ upstream: 'unix:/nowhere/s' }))
  const { status, text } = await get('/a.php')
  t.equal(status, 502)
  t.notMatch(text, /nowhere|\.ts|\.js/)
})

t.test('a URL that middleware has rewritten', async (t) => {
  const { app, proxy, get } = await started(t)
  app.use((req, _res, next) => {
    req.url = req.url.replace(/^\/old\/(\w+)/, '/php/$1.php?id=7')
    next()
  })
  app.use('/php', proxy())
  t.equal((await get('/old/page')).body, '/php/page.php  /old/page id=7')
})

/** As `on-headers` does: code of others that runs right before the head leaves. */
function onHead(listener: (res: ServerResponse) => void): RequestHandler {
  return (_req, res, next) => {
    const { writeHead } = res
    res.writeHead = function (this: ServerResponse, ...args: unknown[]) {
      listener(res)
      return Reflect.apply(writeHead, this, args)
    } as typeof res.writeHead
    next()
  }
}

t.test('middleware that wraps the response, and cookies of its own', async (t) => {
  const { app, proxy, get } = await started(t)
  let heads = 0
  app.use(
    onHead((res) => {
      heads++
      res.setHeader('x-time', '5')
    }),
  )
  app.use((_req, res, next) => {
    res.cookie('own', '1').cookie('own2', '2').set('X-Own', '1')
    next()
  })
  app.use(proxy())
  const { headers, body } = await get('/a.php')
  t.equal(headers['x-time'], '5')
  t.equal(headers['x-own'], '1')
  t.equal(headers['x-app'], '1')
  t.strictSame(headers['set-cookie']?.split('\n'), ['own=1; Path=/', 'own2=2; Path=/', 'app=1'])
  t.equal(heads, 1)
  t.ok(body)
})

t.test('body parsers before it', async (t) => {
  const { app, proxy, listen, peer } = await started(
    t,
    (request) => `${request.params.CONTENT_LENGTH} ${request.stdinLength}`,
  )
  app.use(express.json(), express.urlencoded({ extended: true }), express.text())
  app.use(proxy())
  const { port } = await listen()
  const post = async (type: string, body: string) => {
    const head = ['POST /a.php HTTP/1.1', 'Host: h', 'Connection: close', `Content-Type: ${type}`]
    const bytes = Buffer.from(body).toString('latin1')
    return (
      await rawRequest(
        port,
        `${head.join('\r\n')}\r\nContent-Length: ${bytes.length}\r\n\r\n${bytes}`,
      )
    ).body
  }
  t.equal(await post('application/json', '{ "a" : 1 }'), '7 7')
  t.equal(await post('application/x-www-form-urlencoded', 'a[b]=1&a[c]=2'), '21 21')
  t.equal(await post('text/plain', 'gr\u00fcn'), '5 5')
  t.equal(await post('multipart/form-data; boundary=x', '--x--'), '5 5', 'not parsed, not touched')
  t.equal(peer.requests.length, 4)
})

t.test('trust proxy', async (t) => {
  const names = [
    'REMOTE_ADDR',
    'REMOTE_PORT',
    'REQUEST_SCHEME',
    'HTTPS',
    'SERVER_NAME',
    'SERVER_PORT',
  ]
  const fields = [
    'X-Forwarded-For: 203.0.113.9',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Host: www.example',
  ]
  for (const trust of [true, false]) {
    const { app, proxy, get, listen } = await started(t, (request) =>
      names.map((name) => request.params[name]).join(' '),
    )
    app.set('trust proxy', trust)
    app.use(proxy())
    const { port } = await listen()
    const { body } = await get('/a.php', fields)
    if (trust) t.equal(body, '203.0.113.9  https on www.example 443')
    else t.match(body, new RegExp(`^127\\.0\\.0\\.1 \\d+ http  localhost ${port}$`))
  }
})

t.test('close(), stats and several instances', async (t) => {
  const { app, proxy, get, peer } = await started(t)
  const other = await started(t, () => 'other')
  const one = proxy(KEPT)
  const two = proxy({ upstream: other.peer.address, ...KEPT })
  await other.listen()
  app.use('/1', one)
  app.use('/2', two)
  t.match((await get('/1/a.php')).body, '/1/a.php')
  t.equal((await get('/2/a.php')).body, 'other')
  t.match(one.stats, { [peer.address]: { requests: 1, idle: 1 } })
  t.strictSame(Object.keys(two.stats), [other.peer.address])
  await one.close()
  await until('its connection closing', () => peer.open === 0)
  t.equal((await get('/1/a.php')).status, 503)
  t.equal((await get('/2/a.php')).body, 'other', 'the other one goes on')
  t.ok(other.peer.open > 0)
})

t.test('options', (t) => {
  t.throws(
    () => fastcgiProxy({}),
    new OptionError(
      "fastcgiProxy: option upstream is missing; say where the application listens, such as 'unix:/run/php/php-fpm.sock'",
    ),
  )
  t.throws(
    () => fastcgiProxy({ upstream: '127.0.0.1:9', root: '/', prefix: '/x' } as object),
    /unknown option prefix/,
  )
  t.end()
})
