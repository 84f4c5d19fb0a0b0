/** Request targets and Host fields under every adapter: forms of the target, backslashes, `OPTIONS *`, CONNECT. */
import { createServer } from 'node:http'
import { connect, createServer as createHTTP2Server } from 'node:http2'
import { createAuthorizer, createGateway } from '@fastcgi/gateway'
import t from 'tap'
import { eachAdapter } from '../helpers/adapters.ts'
import { behind } from '../helpers/behind.ts'
import { rawRequest } from '../helpers/raw-http.ts'
import { startPeer, wellBehaved } from '../helpers/scripted-peer.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { within } from '../helpers/wait.ts'

nothingEscapes()

const told = wellBehaved(({ params }) =>
  ['SCRIPT_NAME', 'PATH_INFO', 'REQUEST_URI', 'HTTP_HOST'].map((name) => params[name]).join(' '),
)

eachAdapter(t, 'absolute-form targets, below a mount point, too', async (t, name) => {
  const prefix = name === 'http' ? undefined : '/shop'
  const { get } = await behind(t, name, told, prefix === undefined ? {} : { prefix })
  const at = prefix ?? ''
  const whole = await within('whole', get(`http://example.org${at}/a.php/x?y`))
  t.strictSame([whole.status, whole.body], [200, `${at}/a.php /x ${at}/a.php/x?y example.org`])
  t.equal((await within('no path', get('http://example.org'))).status, prefix ? 404 : 200)
})

eachAdapter(t, 'a backslash in the path', async (t, name) => {
  const options = { frontController: '/index.php', checkLocal: true, root: process.cwd() }
  const front = await behind(t, name, told, options)
  const admin = await within('front controller', front.get('/admin/App%5CEntity%5CUser'))
  t.equal(admin.body, '/index.php  /admin/App%5CEntity%5CUser localhost')
  const info = await behind(t, name, told)
  const crud = await within('PATH_INFO', info.get('/admin.php/App%5CUser'))
  t.equal(crud.body, '/admin.php /App\\User /admin.php/App%5CUser localhost')
  t.equal((await within('script', info.get('/a%5cb.php'))).status, 400)
  t.equal(info.peer.requests.length, 1)
})

eachAdapter(t, 'OPTIONS *', async (t, name) => {
  const { send, peer } = await behind(t, name, told)
  const { status, headers, body } = await within('OPTIONS *', send('OPTIONS *'))
  t.strictSame([status, headers['content-length'], body], [200, '0', ''])
  t.equal((await within('GET *', send('GET *'))).status, 400)
  t.equal(peer.requests.length, 0, 'no script is run')
  t.match((await within('OPTIONS', send('OPTIONS /a.php'))).body, /^\/a\.php/)
})

eachAdapter(t, 'two Host fields, or none', async (t, name) => {
  const { peer, app } = await behind(t, name, told)
  const send = (version: string, ...fields: string[]) => {
    const head = [`GET /a.php HTTP/${version}`, ...fields, 'Connection: close', '', '']
    return within(fields.join(), rawRequest(app.port, head.join('\r\n')))
  }
  for (const hosts of [
    ['Host: a.example', 'Host: b.example'],
    ['Host: a.example', 'Host: a.example'],
    ['Host: a.example', 'X-A: b', 'host: b.example'],
    ['Host: ', 'HOST: b.example'],
    [],
  ])
    t.equal((await send('1.1', ...hosts)).status, 400, JSON.stringify(hosts))
  t.equal((await send('1.0', 'Host: a.example', 'Host: b.example')).status, 400)
  t.equal(peer.requests.length, 0, 'nothing is run')
  t.equal((await send('1.0')).status, 200, 'HTTP/1.0 has no Host')
  t.equal((await send('1.1', 'Host: ')).status, 200, 'an empty one is one')
  t.match((await send('1.1', 'X-Host: x', 'Host: a.example')).body, / a\.example$/)
})

t.test('a server that requires no Host, and an authorizer', async (t) => {
  const peer = await startPeer(told)
  const authorizer = createAuthorizer({ upstream: peer.address, logger: false })
  const server = createServer({ requireHostHeader: false }, authorizer.handler)
  t.teardown(async () => {
    server.closeAllConnections()
    server.close()
    await authorizer.close()
    await peer.close()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  for (const hosts of ['', 'Host: a\r\nHost: b\r\n']) {
    const head = `GET /a.php HTTP/1.1\r\n${hosts}Connection: close\r\n\r\n`
    t.equal((await within('refusal', rawRequest(port, head))).status, 400, hosts)
  }
  t.equal(peer.requests.length, 0)
})

eachAdapter(t, 'CONNECT', async (t, name) => {
  const { send, peer } = await behind(t, name, told)
  // node:http closes the connection, because nothing listens for tunnels.
  t.equal((await within('CONNECT', send('CONNECT example.org:443'))).text, '')
  t.equal(peer.requests.length, 0)
})

t.test('HTTP/2: Host that differs from :authority', async (t) => {
  const peer = await startPeer(told)
  const options = {
    upstream: peer.address,
    root: '/srv',
    checkLocal: false,
    logger: false,
  } as const
  const gateway = createGateway(options)
  const server = createHTTP2Server(gateway.handler as never)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const session = connect(`http://127.0.0.1:${port}`)
  t.teardown(async () => {
    session.destroy()
    server.close()
    await gateway.close()
    await peer.close()
  })
  const status = (host: object): Promise<number> => {
    const stream = session.request({ ':path': '/a.php', ':authority': 'a.example', ...host })
    stream.resume()
    return within(
      'HTTP/2',
      new Promise((resolve) => stream.on('response', (head) => resolve(head[':status'] ?? 0))),
    )
  }
  t.equal(await status({ host: 'b.example' }), 400)
  t.equal(peer.requests.length, 0)
  t.equal(await status({ host: 'a.example' }), 200)
  t.equal(await status({}), 200)
})
