/** Phases of mod_fastcgi: what each is told, how each says no, and where the password goes. */
import t from 'tap'
import { eachAdapter } from '../helpers/adapters.ts'
import { whole } from '../helpers/behind.ts'
import { type GuardScript, guarded, says } from '../helpers/guarded.ts'
import { eachRequest } from '../helpers/scripted-peer.ts'

const basic = (text: string): string =>
  `Authorization: Basic ${Buffer.from(text).toString('base64')}`
const ALICE = basic('alice:open sesame')

/** Lets alice through by her password. */
const asksForPassword = eachRequest((request, connection) => {
  const { REMOTE_USER, REMOTE_PASSWD } = request.params
  const known = REMOTE_USER === 'alice' && REMOTE_PASSWD === 'open sesame'
  connection.write(
    whole(
      known
        ? 'Status: 200\r\nVariable-AUTH_TYPE: Special\r\nVariable-REMOTE_PASSWD:\r\nVariable-UID: 7\r\n\r\n'
        : 'Status: 401 Who are you?\r\nContent-Type: text/html\r\n\r\n<p>who?',
    ),
  )
})

const authenticator: GuardScript = { phase: 'authenticator', does: asksForPassword }

await eachAdapter(t, 'what each phase is told', async (t, adapter) => {
  const { get, asked, behind } = await guarded(t, adapter, [
    { phase: 'access-checker' },
    authenticator,
    { phase: 'authorizer' },
    {},
  ])
  const { status } = await get('/x.php', [ALICE, 'X-Mine: 1'])
  t.equal(status, 200)
  const [access, authentication, authorization, none] = asked.map(
    (peer) => peer.requests[0]?.params,
  )
  t.equal(access?.FCGI_APACHE_ROLE, 'ACCESS_CHECKER')
  t.equal(authentication?.FCGI_APACHE_ROLE, 'AUTHENTICATOR')
  t.equal(authorization?.FCGI_APACHE_ROLE, 'AUTHORIZER')
  t.notOk('FCGI_APACHE_ROLE' in (none ?? {}))

  t.equal(authentication?.REMOTE_USER, 'alice')
  t.equal(authentication?.REMOTE_PASSWD, 'open sesame')
  t.equal(authentication?.AUTH_TYPE, 'Basic')
  t.equal(authentication?.HTTP_X_MINE, '1')
  t.notOk('HTTP_AUTHORIZATION' in (authentication ?? {}), 'which says the same again')
  for (const name of ['REMOTE_USER', 'REMOTE_PASSWD', 'AUTH_TYPE'])
    t.notOk(name in (access ?? {}), `an access checker is not told ${name}`)

  for (const params of [authorization, none, behind.requests[0]?.params]) {
    t.match(params, { REMOTE_USER: 'alice', AUTH_TYPE: 'Special', UID: '7' })
    t.notMatch(JSON.stringify(params), /sesame|REMOTE_PASSWD|AUTHORIZATION/)
    t.notMatch(JSON.stringify(params), new RegExp(ALICE.slice(-10)))
  }
})

await eachAdapter(t, 'the password is gone from the request and from logs', async (t, adapter) => {
  const secrets = new RegExp(`sesame|${ALICE.slice(-12)}`)
  const { get, app, through } = await guarded(t, adapter, [
    { ...authenticator, stripHeaders: false },
    { upstream: 'unix:/nowhere/s', failOpen: true },
    { phase: 'authenticator', upstream: 'unix:/nowhere/s', match: '/down/' },
  ])
  const { status } = await get('/node', [ALICE, 'authorization: Basic c2Vjb25k'])
  t.equal(status, 200)
  const [request] = through
  t.notOk('authorization' in (request?.headers ?? {}))
  t.notMatch((request?.rawHeaders ?? []).join('\n'), /authorization|Basic/i, 'not a second one')
  t.strictSame(request?.variables, { REMOTE_USER: 'alice', AUTH_TYPE: 'Special', UID: '7' })
  await get('/down/x', [ALICE])
  await get('/node', [basic('alice:wrong sesame')])
  t.ok(app.log.length > 0)
  t.notMatch(app.log.join('\n'), secrets)
})

await eachAdapter(t, 'the challenge', async (t, adapter) => {
  const realm = 'the "inner" circle'
  const { get, asked, through } = await guarded(t, adapter, [{ ...authenticator, realm }])
  const expected = 'Basic realm="the \\"inner\\" circle", charset="UTF-8"'
  const malformed = [
    'Authorization: Bearer token',
    'Authorization: Basic',
    'Authorization: Basic !!!',
    `Authorization: Basic ${Buffer.from('no colon').toString('base64')}`,
    basic('al\0ice:x'),
    basic('alice:x\ny'),
  ]
  for (const fields of [[], ...malformed.map((field) => [field])]) {
    const { status, headers, body } = await get('/node', fields)
    t.equal(status, 401, fields.join())
    t.equal(headers['www-authenticate'], expected)
    t.equal(body, '')
  }
  t.equal(asked[0]?.requests.length, 0, 'without credentials there is nothing to ask')
  const wrong = await get('/node', [basic('alice:wrong')])
  t.equal(wrong.status, 401)
  t.equal(wrong.headers['www-authenticate'], expected, 'added where the application gives none')
  t.match(wrong.body, '<p>who?')
  t.equal(asked[0]?.requests.length, 1)
  t.equal(through.length, 0)
})

await eachAdapter(t, 'names and passwords are bytes', async (t, adapter) => {
  const { get, asked } = await guarded(t, adapter, [authenticator])
  await get('/node', [basic('J\u00fcrgen:a:b:\u20ac')])
  const params = asked[0]?.requests[0]?.params
  t.equal(params?.REMOTE_USER, 'J\u00fcrgen')
  t.equal(params?.REMOTE_PASSWD, 'a:b:\u20ac')
})

await eachAdapter(
  t,
  'an authenticator that fails open leaves nobody authenticated',
  async (t, adapter) => {
    const { get, through, behind } = await guarded(t, adapter, [
      { ...authenticator, upstream: 'unix:/nowhere/s', failOpen: true, stripHeaders: ['X-User'] },
    ])
    const fields = [ALICE, 'X-User: evil']
    t.equal((await get('/node', fields)).status, 200)
    const { headers, variables } = through[0] ?? {}
    t.notOk('authorization' in (headers ?? {}) || 'x-user' in (headers ?? {}))
    t.notOk(variables?.REMOTE_USER)
    await get('/x.php', fields)
    t.notMatch(JSON.stringify(behind.requests[0]?.params), /alice|sesame|evil/)
  },
)

await eachAdapter(
  t,
  'REMOTE_USER of an authenticator is not spoofed by a field',
  async (t, adapter) => {
    const { get, through } = await guarded(t, adapter, [
      { phase: 'authenticator', does: says('\r\n') },
    ])
    await get('/node', [ALICE, 'Remote-User: evil', 'Auth-Type: evil', 'X-Mine: 1'])
    t.strictSame(through[0]?.variables, { REMOTE_USER: 'alice', AUTH_TYPE: 'Basic' })
    t.strictSame(Object.keys(through[0]?.headers ?? {}), ['host', 'connection', 'x-mine'])
  },
)

/** Phase, and the status of a no with `compat: false`. */
const LEGACY: Array<[phase: GuardScript['phase'], status: number]> = [
  [undefined, 403],
  ['access-checker', 403],
  ['authenticator', 401],
  ['authorizer', 401],
]

await eachAdapter(t, 'compat: a no as it is, or as mod_fastcgi says it', async (t, adapter) => {
  const no = says(
    'Status: 402 Pay\r\nX-Why: money\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\n',
    'pay',
  )
  for (const [phase, status] of LEGACY) {
    const spec = await guarded(t, adapter, [{ phase, does: no }])
    const passed = await spec.get('/node', [ALICE])
    t.equal(passed.status, 402, `${phase}`)
    t.match(passed.headers, { 'x-why': 'money', 'content-type': /^text\/html/ })
    t.equal(passed.body, 'pay')

    const legacy = await guarded(t, adapter, [{ phase, does: no, compat: false }])
    const replaced = await legacy.get('/node', [ALICE])
    t.equal(replaced.status, status, `${phase}`)
    t.equal(replaced.headers['x-why'], 'money', 'with the fields of the application')
    t.equal(replaced.body, '')
    t.notOk('content-type' in replaced.headers)
    t.equal(/^Basic realm=/.test(replaced.headers['www-authenticate'] ?? ''), status === 401)
    t.equal(spec.through.length + legacy.through.length, 0)
  }
})

await eachAdapter(t, 'an authorizer that challenges names its realm', async (t, adapter) => {
  const no = says('Status: 403 Forbidden\r\n\r\n', '')
  const realm = 'shop'
  const { get } = await guarded(t, adapter, [
    { phase: 'authorizer', realm, does: no, compat: false },
  ])
  const { status, headers } = await get('/node', [ALICE])
  t.equal(status, 401)
  t.equal(headers['www-authenticate'], 'Basic realm="shop", charset="UTF-8"')
})
