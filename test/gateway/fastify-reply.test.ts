/** reply.fastcgi(): a route of Fastify has an application answer it. */
import { fastcgiProxy } from '@fastcgi/fastify'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import {
  eachRequest,
  endRecord,
  type Peer,
  startPeer,
  stdoutRecords,
} from '../helpers/scripted-peer.ts'

const NAMES = [
  'SCRIPT_NAME',
  'PATH_INFO',
  'QUERY_STRING',
  'REQUEST_URI',
  'USER',
  'CONTENT_LENGTH',
  'WHO',
]

async function started(t: Test): Promise<{
  app: FastifyInstance
  peer: Peer
  options: { upstream: string; root: string; checkLocal: false }
}> {
  const peer = await startPeer(
    eachRequest(async (request, connection) => {
      const params = NAMES.map((name) => request.params[name] ?? '-').join(' ')
      connection.write(
        stdoutRecords(`X-Params: ${params}\r\n\r\n`),
        stdoutRecords(await request.stdin()),
        endRecord(),
      )
    }),
  )
  const app = Fastify()
  t.teardown(async () => {
    await app.close()
    await peer.close()
  })
  return { app, peer, options: { upstream: peer.address, root: '/srv', checkLocal: false } }
}

t.test('path, query and env', async (t) => {
  const { app, options } = await started(t)
  app.register(fastcgiProxy, { ...options, replyOnly: true })
  app.get('/report/:id', (request: { params: unknown }, reply) => {
    const { id } = request.params as { id: string }
    return reply.fastcgi(`/report.php/${id}?id=${id}`, { env: { USER: 'j\u00fcrgen' } })
  })
  app.get('/plain', (_request, reply) => reply.fastcgi('/plain.php'))
  app.get('/own.php', async (_request, reply) => reply.fastcgi())
  const told = async (url: string) => (await app.inject(url)).headers['x-params']
  const utf8 = Buffer.from('j\u00fcrgen').toString('latin1')
  t.equal(await told('/report/7?x=1'), `/report.php /7 id=7 /report/7?x=1 ${utf8} - -`)
  t.equal(await told('/plain?x=1'), '/plain.php - x=1 /plain?x=1 - - -')
  t.equal(await told('/own.php?x'), '/own.php - x /own.php?x - - -')
  t.equal((await app.inject('/index.php')).statusCode, 404, 'replyOnly: no routes')
})

t.test('a path made of decoded input does not climb', async (t) => {
  const { app, options, peer } = await started(t)
  app.register(fastcgiProxy, { ...options, replyOnly: true })
  app.get('/page/:name', (request, reply) =>
    reply.fastcgi(`/pages/${(request.params as { name: string }).name}.php`),
  )
  t.equal((await app.inject('/page/%C4%AE%C4%AE%C4%AFsecret')).statusCode, 200)
  const { SCRIPT_FILENAME } = peer.requests[0]?.params ?? {}
  t.equal(SCRIPT_FILENAME, '/srv/pages/\u012e\u012e\u012fsecret.php', 'the letters, not ../')
  t.equal((await app.inject('/page/..%2F..%2F..%2Fsecret')).statusCode, 400)
  t.equal((await app.inject('/page/a%00')).statusCode, 400)
})

t.test('parsed bodies', async (t) => {
  const { app, options } = await started(t)
  app.register(fastcgiProxy, { ...options, replyOnly: true })
  app.post('/x', (_request, reply) => reply.fastcgi('/x.php'))
  const json = await app.inject({ method: 'POST', url: '/x', payload: { a: ['\u00fc'] } })
  t.equal(json.body, '{"a":["\u00fc"]}')
  t.match(json.headers['x-params'], / 12 -$/)
  const text = await app.inject({
    method: 'POST',
    url: '/x',
    payload: 'gr\u00fcn',
    headers: { 'content-type': 'text/plain' },
  })
  t.equal(text.body, 'gr\u00fcn')
  t.equal((await app.inject({ method: 'POST', url: '/x' })).statusCode, 200)
})

t.test('one of several proxies', async (t) => {
  const { app, options } = await started(t)
  app.register(fastcgiProxy, { ...options, prefix: '/a', env: { WHO: 'a' } })
  app.register(fastcgiProxy, { ...options, prefix: '/b', env: { WHO: 'b' }, name: 'second' })
  const call =
    (proxy?: string) => async (_request: unknown, reply: { fastcgi: CallableFunction }) =>
      reply.fastcgi('/x.php', proxy === undefined ? {} : { proxy })
  app.get('/by-prefix', call('/a'))
  app.get('/by-name', call('second'))
  app.get('/ambiguous', call())
  app.get('/unknown', call('/b'))
  t.match((await app.inject('/by-prefix')).headers['x-params'], / a$/)
  t.match((await app.inject('/by-name')).headers['x-params'], / b$/)
  const ambiguous = (await app.inject('/ambiguous')).json()
  t.equal(ambiguous.statusCode, 500)
  t.equal(ambiguous.code, 'FCGI_OPTION')
  t.equal(
    ambiguous.message,
    'reply.fastcgi: several proxies are registered; choose one of /a, second (option proxy)',
  )
  t.match(
    (await app.inject('/unknown')).json().message,
    /no proxy is called \/b; choose one of \/a, second/,
  )
})

t.test('a script that is not there', async (t) => {
  const { app, peer } = await started(t)
  app.setNotFoundHandler((_request, reply) => void reply.code(404).send('no such page'))
  app.register(fastcgiProxy, { upstream: peer.address, root: '/', replyOnly: true })
  app.get('/x', (_request, reply) => reply.fastcgi('/nowhere/at/all.php'))
  const { statusCode, body } = await app.inject('/x')
  t.strictSame([statusCode, body], [404, 'no such page'])
})

t.test('only in the scope it is registered in', async (t) => {
  const { app, options } = await started(t)
  app.register(async (scope) => {
    scope.register(fastcgiProxy, { ...options, replyOnly: true })
    scope.get('/in', (_request, reply) => reply.fastcgi('/x.php'))
  })
  await app.ready()
  t.notOk(app.hasReplyDecorator('fastcgi'))
  t.equal((await app.inject('/in')).statusCode, 200)
})
