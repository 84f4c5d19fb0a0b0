/** Requests with a body, over a kept connection, and over HTTP/2, through a guard. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent } from 'node:http'
import { connect } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { fastcgiAuthorizer, fastcgiProxy } from '@fastcgi/fastify'
import Fastify from 'fastify'
import t from 'tap'
import { eachAdapter, startAdapter } from '../helpers/adapters.ts'
import { guardedSite } from '../helpers/authorizer-table.ts'
import { NEEDS, startAuthorizer } from '../helpers/authorizers.ts'
import { guarded, NO, says } from '../helpers/guarded.ts'
import { ask, askJSON } from '../helpers/php-http.ts'
import { NEEDS_FPM, phpFpm } from '../helpers/php-site.ts'
import { startPeer } from '../helpers/scripted-peer.ts'
import { within } from '../helpers/wait.ts'

const MEBIBYTE = 1_048_576
const C_AND_PHP = { skip: NEEDS.c.skip || NEEDS_FPM.skip }

t.test('a POST of 1 MB through a guard to PHP arrives whole', C_AND_PHP, async (t) => {
  const authorizer = await startAuthorizer(t, 'c')
  const php = await phpFpm(t)
  const body = randomBytes(MEBIBYTE)
  const md5 = createHash('md5').update(body).digest('hex')
  await eachAdapter(t, 'with its length, and in chunks', async (t, adapter) => {
    const { port } = await startAdapter(t, adapter, {
      guards: [authorizer, authorizer],
      upstream: php.address,
      root: guardedSite(t),
    })
    const length = { 'content-length': body.length }
    for (const headers of [length, { 'transfer-encoding': 'chunked' }]) {
      const question = { method: 'POST', headers, body }
      const told = await askJSON(port, '/hash.php?yes', question)
      t.match(told, { length: MEBIBYTE, md5, contentLength: `${MEBIBYTE}` })
    }
    const denied = await ask(port, '/hash.php?denied', { method: 'POST', headers: length, body })
    t.equal(denied.status, 403)
    t.equal(denied.body.toString(), 'c says: denied\n')
  })
})

await eachAdapter(t, 'a no to a request whose body nobody reads', async (t, adapter) => {
  const { app, through } = await guarded(t, adapter, [{ does: NO }])
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const body = Buffer.alloc(MEBIBYTE, 'GET /node HTTP/1.1\r\nHost: x\r\n\r\n')
  for (let n = 0; n < 3; n++) {
    const answer = await ask(app.port, '/node', { method: 'POST', body, agent }).catch(
      () => undefined,
    )
    // The server may close before all of it has been sent.
    if (answer !== undefined) t.equal(answer.status, 403)
    t.equal((await ask(app.port, '/node', { agent })).status, 403)
  }
  t.equal(through.length, 0, 'the body is never taken for a request')
})

await eachAdapter(t, 'connections are kept over a no', async (t, adapter) => {
  const { app } = await guarded(t, adapter, [{ phase: 'authenticator', does: NO }])
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const ports = new Set<number | undefined>()
  app.server.on('connection', (socket) => ports.add(socket.remotePort))
  const authorization = `Basic ${Buffer.from('a:b').toString('base64')}`
  for (let n = 0; n < 3; n++) {
    t.equal((await ask(app.port, '/node', { agent })).status, 401)
    t.equal((await ask(app.port, '/node', { agent, headers: { authorization } })).status, 403)
  }
  t.equal(ports.size, 1)
})

t.test('HTTP/2', async (t) => {
  const no = await startPeer(NO)
  const yes = await startPeer(says('Status: 200\r\nVariable-USER: alice\r\nX-Secret: 1\r\n\r\n'))
  const behind = await startPeer(says('Content-Type: text/plain\r\n\r\n', 'application'))
  const app = Fastify({ http2: true })
  await app.register(fastcgiAuthorizer, {
    guards: [
      { upstream: no.address, match: '/private/' },
      { phase: 'authenticator', upstream: yes.address, match: '/login/' },
      { upstream: yes.address },
    ],
  })
  app.get('/node', async ({ fastcgi, headers }) => ({ ...fastcgi.variables, ...headers }))
  await app.register(fastcgiProxy, { upstream: behind.address, root: '/srv', checkLocal: false })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const session = connect(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
  t.teardown(async () => {
    session.destroy()
    await app.close()
    await Promise.all([no.close(), yes.close(), behind.close()])
  })
  const call = async (path: string, fields: Record<string, string> = {}, body?: Buffer) => {
    const stream = session.request({ ':path': path, ...fields }, { endStream: body === undefined })
    if (body !== undefined) stream.end(body)
    const [headers] = await within('a response', once(stream, 'response'))
    return { status: headers[':status'], headers, body: (await buffer(stream)).toString() }
  }
  t.match(await call('/private/x'), { status: 403, body: 'no' })
  const node = await call('/node', { user: 'evil' })
  t.equal(node.status, 200)
  t.match(JSON.parse(node.body), { USER: 'alice', ':path': '/node' })
  t.notOk('user' in JSON.parse(node.body))
  t.notOk('x-secret' in node.headers)

  t.equal((await call('/login/x')).status, 401)
  const authorization = `Basic ${Buffer.from('alice:sesame').toString('base64')}`
  const upload = { ':method': 'POST', authorization }
  const posted = await call('/login/x.php', upload, Buffer.alloc(100_000, 'x'))
  t.match(posted, { status: 200, body: 'application' })
  const [request] = behind.requests
  t.equal((await request?.stdin())?.length, 100_000)
  t.match(request?.params, { REMOTE_USER: 'alice', USER: 'alice' })
  t.notMatch(JSON.stringify(request?.params), /AUTHORIZATION|sesame/)
})
