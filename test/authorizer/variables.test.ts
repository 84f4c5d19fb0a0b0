/** What a yes says of a request, for whom it is, and what a client cannot make of it. */
import { fastcgiContext } from '@fastcgi/application'
import { fastcgiAuthorizer } from '@fastcgi/express'
import express from 'express'
import t from 'tap'
import { eachAdapter } from '../helpers/adapters.ts'
import { whole } from '../helpers/behind.ts'
import { guarded, says } from '../helpers/guarded.ts'
import { eachRequest, startPeer } from '../helpers/scripted-peer.ts'
import { connectTo, startServer } from '../helpers/web-server.ts'

const HOSTILE = [
  'PHP_ADMIN_VALUE',
  'PHP_VALUE',
  'Php-Admin-Value',
  'SCRIPT_FILENAME',
  'Script-Filename',
  'SCRIPT_NAME',
  'DOCUMENT_ROOT',
  'PATH_INFO',
  'PATH_TRANSLATED',
  'QUERY_STRING',
  'CONTENT_LENGTH',
  'REQUEST_METHOD',
  'REQUEST_URI',
  'REMOTE_ADDR',
  'REMOTE_PASSWD',
  'SERVER_NAME',
  'GATEWAY_INTERFACE',
  'HTTPS',
  'HTTP_PROXY',
  'HTTP_HOST',
  'HTTP_COOKIE',
  'REDIRECT_STATUS',
  'FCGI_ROLE',
  'LD_PRELOAD',
  'PATH',
]

await eachAdapter(t, 'names that are not for guards', async (t, adapter) => {
  const fields = HOSTILE.map((name) => `Variable-${name}: evil\r\n`).join('')
  const { get, behind, through, app } = await guarded(t, adapter, [
    { does: says(`Status: 200\r\n${fields}Variable-GOOD: 1\r\nVariable-TAB: a\tb\r\n\r\n`) },
  ])
  t.equal((await get()).status, 200)
  t.strictSame(through[0]?.variables, { GOOD: '1' })
  t.equal((await get('/x.php')).status, 200)
  const params = behind.requests[0]?.params ?? {}
  t.strictSame(
    Object.entries(params).filter(([, value]) => value === 'evil'),
    [],
  )
  t.equal(params.GOOD, '1')
  t.notOk('TAB' in params, 'a control character')
  for (const name of HOSTILE.filter((name) => /^(?!REMOTE_PASSWD)[A-Z_]+$/.test(name))) {
    const lines = app.log.filter((line) => line.includes(`Variable-${name} is not let through`))
    t.equal(lines.length, 1, `${name} is reported, once`)
  }
})

await eachAdapter(t, 'names, repeats, and the last word', async (t, adapter) => {
  const first = [
    'Variable-remote-user: early',
    'Variable-a.b: 1',
    'Variable-A_B: 2',
    'Variable-Empty:',
    'Variable-UMLAUT: J\u00c3\u00bcrgen',
  ]
  const { get, asked, behind, through } = await guarded(t, adapter, [
    { does: says(`Status: 200\r\n${first.join('\r\n')}\r\n\r\n`) },
    { does: says('Variable-REMOTE_USER: late\r\n\r\n') },
  ])
  await get()
  await get('/x.php')
  t.strictSame(through[0]?.variables, {
    'a.b': '1, 2',
    Empty: '',
    UMLAUT: 'J\u00c3\u00bcrgen',
    REMOTE_USER: 'late',
  })
  t.match(
    asked[1]?.requests[0]?.params,
    { REMOTE_USER: 'early', A_B: '1, 2', EMPTY: '' },
    'the second guard knows what the first one said',
  )
  t.match(behind.requests[0]?.params, {
    REMOTE_USER: 'late',
    A_B: '1, 2',
    EMPTY: '',
    UMLAUT: 'J\u00fcrgen',
  })
})

await eachAdapter(t, 'nothing of a yes reaches the client', async (t, adapter) => {
  const head = [
    'Status: 200 Everything',
    'Set-Cookie: secret=1',
    'X-Secret: 1',
    'Content-Type: text/secret',
    'Content-Length: 6',
    'Location: http://secret.example/',
    'X-Sendfile: /etc/secret',
    'WWW-Authenticate: Basic realm="secret"',
    'Variable-SECRET: 1',
  ]
  for (const compat of [true, false]) {
    const does = says(`${head.join('\r\n')}\r\n\r\n`, 'secret')
    const { get } = await guarded(t, adapter, [{ does, compat }])
    for (const target of ['/node', '/x.php']) {
      const { status, text } = await get(target)
      t.equal(status, 200)
      t.notMatch(text, /secret|Everything/i)
    }
  }
})

await eachAdapter(t, 'compat: false makes variables of all fields', async (t, adapter) => {
  const head =
    'Status: 200\r\nX-User: alice\r\nVariable-X-User: bob\r\nHost: evil\r\nContent-Type: text/x\r\n\r\n'
  const { get, behind, through } = await guarded(t, adapter, [{ does: says(head), compat: false }])
  await get()
  t.strictSame(through[0]?.variables, { 'X-User': 'alice, bob', Host: 'evil' })
  t.equal(through[0]?.headers.host, 'localhost', 'the request stays the one it is')
  await get('/x.php')
  t.match(behind.requests[0]?.params, { X_USER: 'alice, bob', HTTP_HOST: 'localhost' })
  t.notOk('CONTENT_TYPE' in (behind.requests[0]?.params ?? {}))
})

const SPOOFED = ['User: evil', 'X-Level: 9', 'X_LEVEL: 9', 'X.Level: 9', 'X-Mine: 1', 'X-Other: 2']

await eachAdapter(t, 'fields that pass themselves off as variables', async (t, adapter) => {
  const does = eachRequest((request, connection) => {
    const known = request.params.QUERY_STRING !== 'unknown'
    const variables = known ? 'Variable-USER: alice\r\nVariable-x-level: 1\r\n' : ''
    connection.write(whole(`Status: 200\r\n${variables}\r\n`))
  })
  const cases: Array<[stripHeaders: boolean | string[], target: string, left: string[]]> = [
    [true, '/node', ['x-mine', 'x-other']],
    [true, '/node?unknown', ['user', 'x-level', 'x_level', 'x.level', 'x-mine', 'x-other']],
    [false, '/node', ['user', 'x-level', 'x_level', 'x.level', 'x-mine', 'x-other']],
    [['X-Other', 'USER'], '/node', ['x-mine']],
    [['X-Other', 'USER'], '/node?unknown', ['x-level', 'x_level', 'x.level', 'x-mine']],
  ]
  for (const [stripHeaders, target, left] of cases) {
    const { get, through, behind } = await guarded(t, adapter, [{ does, stripHeaders }])
    await get(target, SPOOFED)
    const what = `${JSON.stringify(stripHeaders)} ${target}`
    const names = Object.keys(through[0]?.headers ?? {})
    t.strictSame(
      names.filter((name) => !['host', 'connection'].includes(name)),
      left,
      what,
    )
    const raw = (through[0]?.rawHeaders ?? []).filter((_, at) => at % 2 === 0)
    t.strictSame(
      raw.map((name) => name.toLowerCase()).filter((name) => !names.includes(name)),
      [],
      'rawHeaders, too',
    )
    await get(target.replace('/node', '/x.php'), SPOOFED)
    const params = behind.requests[0]?.params ?? {}
    t.equal('HTTP_USER' in params, left.includes('user'), what)
    t.equal(params.HTTP_X_MINE, '1')
  }
})

await eachAdapter(t, 'what a request needs is never taken off it', async (t, adapter) => {
  const names = ['HOST', 'TRANSFER_ENCODING', 'CONNECTION', 'EXPECT', 'KEEP_ALIVE', 'COOKIE']
  const fields = names.map((name) => `Variable-${name}: x\r\n`).join('')
  const { send, behind } = await guarded(t, adapter, [
    { does: says(`Status: 200\r\n${fields}\r\n`) },
  ])
  const chunked = ['Transfer-Encoding: chunked', 'Cookie: a=b']
  const { status } = await send('POST /x.php', chunked, '5\r\nhello\r\n0\r\n\r\n')
  t.equal(status, 200)
  const [request] = behind.requests
  t.equal((await request?.stdin())?.toString(), 'hello', 'a body in chunks has stayed one')
  t.equal(request?.params.HTTP_HOST, 'localhost')
  t.notOk('HTTP_COOKIE' in (request?.params ?? {}), 'others are')
})

await eachAdapter(t, 'REMOTE_USER and AUTH_TYPE come from guards only', async (t, adapter) => {
  const { get, behind, through } = await guarded(t, adapter, [{}])
  const fields = ['REMOTE_USER: evil', 'Remote-User: evil', 'Auth-Type: evil']
  await get('/x.php', fields)
  const params = behind.requests[0]?.params ?? {}
  t.notOk('REMOTE_USER' in params || 'AUTH_TYPE' in params)
  await get('/node', fields)
  t.strictSame(through[0]?.variables, {})
})

await eachAdapter(t, 'variables are of one request', async (t, adapter) => {
  const does = eachRequest((request, connection) => {
    const { QUERY_STRING } = request.params
    connection.write(whole(`Status: 200\r\nVariable-Q-${QUERY_STRING}: 1\r\n\r\n`))
  })
  const { get, through } = await guarded(t, adapter, [{ does }])
  await Promise.all(['a', 'b', 'c'].map((query) => get(`/node?${query}`)))
  t.strictSame(through.map(({ variables }) => Object.keys(variables ?? {}).join()).sort(), [
    'Q-a',
    'Q-b',
    'Q-c',
  ])
})

await eachAdapter(
  t,
  'the variables of a request that no guard was asked about',
  async (t, adapter) => {
    const { get, through } = await guarded(t, adapter, [{ match: '/private/' }])
    t.equal((await get('/node')).status, 200)
    t.strictSame(through[0]?.variables, {}, 'there is an object, but it is empty')
  },
)

t.test('a guard in an app that is a FastCGI application itself', async (t) => {
  const peer = await startPeer(says('Status: 200\r\nVariable-USER: ada\r\n\r\n'))
  t.teardown(() => peer.close())
  const guard = fastcgiAuthorizer({ upstream: peer.address, root: '/srv' })
  t.teardown(() => guard.close())
  const app = express().use(guard)
  app.get('/', (req, res) => {
    res.json([req.fastcgi.variables, fastcgiContext(req)?.variables])
  })
  const { port } = await startServer(t, app)
  const web = await connectTo(t, port)
  const { body } = await web.get({ params: { REQUEST_URI: '/', BY: 'nginx' } })
  t.same(JSON.parse(body), [{ USER: 'ada' }, { BY: 'nginx' }])
})
