/** Request targets and bodies that Fastify itself would refuse before a plugin sees them. */
import { fastcgiAuthorizer, fastcgiProxy, fastcgiServerOptions } from '@fastcgi/fastify'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { rawGet, rawRequest } from '../helpers/raw-http.ts'
import { type Peer, startPeer, wellBehaved } from '../helpers/scripted-peer.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { within } from '../helpers/wait.ts'

nothingEscapes()

/** Starts an app with the options for the server; `extend` registers the proxies. */
async function start(
  t: Test,
  extend: (app: FastifyInstance, options: object) => void,
): Promise<{ port: number; peer: Peer }> {
  const peer = await startPeer(
    wellBehaved(({ bytes }) =>
      Buffer.from(
        ['SCRIPT_NAME', 'PATH_INFO', 'REQUEST_URI'].map((name) => bytes[name]).join(' '),
        'latin1',
      ),
    ),
  )
  const app = Fastify({ ...fastcgiServerOptions })
  t.teardown(async () => {
    await app.close()
    await peer.close()
  })
  extend(app, { upstream: peer.address, root: '/srv', checkLocal: false })
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { port: (app.server.address() as { port: number }).port, peer }
}

t.test('a path whose bytes are not UTF-8', async (t) => {
  const paths: string[] = []
  const { port } = await start(t, (app, options) => {
    app.addHook('onRequest', async ({ originalUrl }) => void paths.push(originalUrl))
    app.get('/own/:name', async ({ params }) => (params as { name: string }).name)
    app.register(fastcgiProxy, { ...options, prefix: '/t/:tenant' })
    app.register(fastcgiProxy, options)
  })
  const get = async (target: string) => (await within(target, rawGet(port, target))).body
  t.equal(await get('/caf%E9.php'), '/caf\xe9.php  /caf%E9.php')
  t.equal(await get('/wiki.php/Fl%F6te?a=%FF'), '/wiki.php /Fl\xf6te /wiki.php/Fl%F6te?a=%FF')
  t.equal(await get('/t/%E9/a.php'), '/t/\xe9/a.php  /t/%E9/a.php', 'below a parameter')
  t.equal(Buffer.from(await get('/own/caf%E9'), 'latin1').toString(), 'café', 'routes of the app')
  t.equal(Buffer.from(await get('/own/caf%C3%A9'), 'latin1').toString(), 'café')
  t.equal(paths[0], '/caf%E9.php', 'hooks run')
  for (const bad of ['/a%zz.php', '/a%.php', '/%E9%', '/%00'])
    t.equal((await within(bad, rawGet(port, bad))).status, 400, bad)
})

t.test('the application gets the bytes that the client sent', async (t) => {
  const { port, peer } = await start(t, (app, options) => {
    app.register(fastcgiProxy, options)
  })
  for (const [target, hex] of [
    ['/x.php/%E9', '2fe9'],
    ['/x.php/%C3%A9', '2fc3a9'],
    ['/x.php/%C3%A9%E9%41', '2fc3a9e941'],
    ['/x.php/%C0%AE%C0%AE', '2fc0aec0ae'],
    ['/x.php/%ED%A0%80', '2feda080'],
  ] as const) {
    const { status } = await within(target, rawGet(port, target))
    t.equal(status, 200, target)
    const { PATH_INFO = '', REQUEST_URI } = peer.requests.at(-1)?.bytes ?? {}
    t.equal(Buffer.from(PATH_INFO, 'latin1').toString('hex'), hex, target)
    t.equal(REQUEST_URI, target)
  }
})

t.test('a guard in a scope is asked about such a path', async (t) => {
  const asked: string[] = []
  const guard = await startPeer(
    wellBehaved(({ params }) => {
      asked.push(params.REQUEST_URI ?? '')
      return 'no'
    }),
  )
  t.teardown(() => guard.close())
  const { port, peer } = await start(t, (app, options) => {
    app.register(async (scope) => {
      scope.addHook('onRequest', async (request, reply) => {
        if (/^\/private/.test(request.url)) await reply.code(403).send('hook')
      })
      scope.register(fastcgiAuthorizer, {
        upstream: guard.address,
        match: '/secret/',
        root: '/srv',
      })
      scope.register(fastcgiProxy, options)
    })
  })
  t.equal((await within('hook', rawGet(port, '/private/%E9.php'))).status, 403)
  await within('guard', rawGet(port, '/secret/%E9.php'))
  t.strictSame(asked, ['/secret/%E9.php'])
  t.equal(peer.requests.length, 1, 'after the guard has allowed it')
})

t.test('absolute-form targets below a prefix', async (t) => {
  const { port, peer } = await start(t, (app, options) => {
    app.register(fastcgiProxy, { ...options, prefix: '/shop' })
    app.register(fastcgiProxy, { ...options, prefix: '/t/:tenant/php' })
  })
  for (const [target, names] of [
    ['http://example.org/shop/a.php/x?y', '/shop/a.php /x /shop/a.php/x?y'],
    ['http://example.org/shop', '/shop/index.php  /shop'],
    ['HTTP://example.org:81/t/acme/php/a.php', '/t/acme/php/a.php  /t/acme/php/a.php'],
  ] as const) {
    const { status, body } = await within(target, rawGet(port, target))
    t.strictSame([status, body], [200, names], target)
  }
  t.equal(peer.requests[0]?.params.HTTP_HOST, 'example.org')
  t.equal((await within('outside', rawGet(port, 'http://shop/other/a.php'))).status, 404)
})

t.test('bodies whose Content-Type is not a media type, and QUERY without one', async (t) => {
  const seen: Array<string | undefined> = []
  const { port, peer } = await start(t, (app, options) => {
    app.register(async (scope) => {
      scope.addHook('onRequest', async ({ mediaType }) => void mediaType)
      scope.addHook('preHandler', async ({ headers, mediaType }) => {
        seen.push(headers['content-type'])
        t.not(mediaType, 'application/octet-stream')
      })
      scope.register(fastcgiProxy, options)
    })
    app.post('/own', async ({ body }) => body)
  })
  const send = async (method: string, url: string, type: string | undefined, body = '{}') => {
    const fields = [`${method} ${url} HTTP/1.1`, 'Host: localhost', 'Connection: close']
    if (type !== undefined) fields.push(`Content-Type: ${type}`)
    const head = [...fields, `Content-Length: ${body.length}`].join('\r\n')
    return await within(`${method} ${type}`, rawRequest(port, `${head}\r\n\r\n${body}`))
  }
  const types = ['undefined', '', 'json', 'application/octet stream', 'a/b/c; d', 'text/plain', ';']
  for (const type of types) {
    const { status } = await send('POST', '/a.php', type)
    t.equal(status, 200, JSON.stringify(type))
    t.equal(peer.requests.at(-1)?.params.CONTENT_TYPE ?? '', type, 'as the client sent it')
    t.equal(peer.requests.at(-1)?.params.CONTENT_LENGTH, '2')
    t.equal(seen.at(-1), type, 'also for hooks')
  }
  for (const body of ['', 'select']) {
    t.equal((await send('QUERY', '/a.php', undefined, body)).status, 200, `QUERY ${body}`)
    t.notOk('CONTENT_TYPE' in (peer.requests.at(-1)?.params ?? {}))
  }
  t.equal((await send('POST', '/own', 'json')).status, 415, 'routes of the app are not changed')
})
