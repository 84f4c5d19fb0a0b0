/** Params that an `env` function sets for some requests only cannot be set by a header field in the others. */
import { createGateway, type GatewayOptions } from '@fastcgi/gateway'
import t, { type Test } from 'tap'
import { type AdapterName, eachAdapter } from '../helpers/adapters.ts'
import { type Behind, behind } from '../helpers/behind.ts'
import { guarded } from '../helpers/guarded.ts'
import { wellBehaved } from '../helpers/scripted-peer.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { within } from '../helpers/wait.ts'

nothingEscapes()

/** The request of any of the three frameworks. */
interface Source {
  url?: string
}

const isLoggedIn = (source: unknown): boolean => (source as Source).url?.endsWith('?alice') === true

/** Params of a request whose field `X-User` says something else than the function. */
async function start(
  t: Test,
  adapter: AdapterName,
  options: Partial<GatewayOptions<unknown>>,
): Promise<(target: string, fields?: string[]) => Promise<Record<string, string>>> {
  const { peer, get } = await behind(t, adapter, wellBehaved(), options as object)
  return (target, fields = ['X-User: evil']) => paramsOf({ peer, get }, target, fields)
}

async function paramsOf(
  { peer, get }: Pick<Behind, 'peer' | 'get'>,
  target: string,
  fields: string[],
): Promise<Record<string, string>> {
  const { status } = await within('a response', get(target, fields))
  if (status !== 200) throw new Error(`status ${status}`)
  return peer.requests.at(-1)?.params ?? {}
}

const envs = {
  'left out': (source: unknown) => (isLoggedIn(source) ? { HTTP_X_USER: 'alice' } : {}),
  undefined: (source: unknown) => ({ HTTP_X_USER: isLoggedIn(source) ? 'alice' : undefined }),
  null: (source: unknown) => ({ HTTP_X_USER: isLoggedIn(source) ? 'alice' : null }),
}

await eachAdapter(t, 'a param that is set sometimes', async (t, adapter) => {
  for (const [how, env] of Object.entries(envs)) {
    const params = await start(t, adapter, { env })
    if (how !== 'left out')
      t.equal((await params('/x.php')).HTTP_X_USER, undefined, `${how}, in the first request`)
    t.equal((await params('/x.php?alice')).HTTP_X_USER, 'alice', how)
    for (const field of ['X-User', 'x-user', 'X_User', 'X.User'])
      t.equal(
        (await params('/x.php', [`${field}: evil`])).HTTP_X_USER,
        undefined,
        `${how}, ${field}`,
      )
    t.equal((await params('/x.php', ['X-Users: b'])).HTTP_X_USERS, 'b', 'other fields are passed')
  }
})

await eachAdapter(t, 'reserveParams holds from the first request on', async (t, adapter) => {
  const env = envs['left out']
  const params = await start(t, adapter, { env, reserveParams: ['HTTP_X_USER'] })
  t.equal((await params('/x.php')).HTTP_X_USER, undefined)
  t.equal((await params('/x.php?alice')).HTTP_X_USER, 'alice')
  const passed = await start(t, adapter, {
    reserveParams: ['HTTP_X_USER'],
    passHeaders: ['x_user'],
  })
  t.equal((await passed('/x.php', ['X_User: evil'])).HTTP_X_USER, undefined, 'passHeaders')
})

await eachAdapter(t, 'routes with the same function know the same params', async (t, adapter) => {
  const env = envs['left out']
  const routes = [{ match: '/a/' }, { match: '/b/' }, { match: '/c/', env: {} }]
  const params = await start(t, adapter, { env, routes, extensions: ['.php'] })
  await params('/a/x.php?alice')
  t.equal((await params('/b/x.php')).HTTP_X_USER, undefined)
  t.equal((await params('/c/x.php')).HTTP_X_USER, 'evil', 'a route without it is as before')
})

await eachAdapter(t, 'fields that clients choose stay theirs', async (t, adapter) => {
  const own = {
    HTTP_HOST: 'own.example',
    HTTP_COOKIE: 'own=1',
    HTTP_AUTHORIZATION: 'Own x',
    HTTP_ACCEPT_LANGUAGE: 'own',
    HTTP_USER_AGENT: 'own',
  }
  const env = (source: unknown) => (isLoggedIn(source) ? own : {})
  const params = await start(t, adapter, { env })
  const fields = [
    'Cookie: a=1',
    'Authorization: Basic eDp5',
    'Accept-Language: de',
    'User-Agent: u',
  ]
  t.match(await params('/x.php?alice', fields), own)
  t.match(await params('/x.php', fields), {
    HTTP_HOST: 'localhost',
    HTTP_COOKIE: 'a=1',
    HTTP_AUTHORIZATION: 'Basic eDp5',
    HTTP_ACCEPT_LANGUAGE: 'de',
    HTTP_USER_AGENT: 'u',
  })
})

await eachAdapter(
  t,
  'a param that is null in some requests is only removed there',
  async (t, adapter) => {
    const env = (source: unknown) => (isLoggedIn(source) ? { HTTP_X_TRACE: null } : {})
    const params = await start(t, adapter, { env })
    t.equal((await params('/x.php?alice', ['X-Trace: 1'])).HTTP_X_TRACE, undefined)
    t.equal((await params('/x.php', ['X-Trace: 1'])).HTTP_X_TRACE, '1')
  },
)

await eachAdapter(t, 'the memory for names is bounded', async (t, adapter) => {
  let count = 0
  const env = () =>
    Object.fromEntries(Array.from({ length: 500 }, () => [`HTTP_N${count++}`, 'x'] as const))
  const params = await start(t, adapter, { env, reserveParams: ['HTTP_X_USER'] })
  for (let n = 0; n < 4; n++) t.equal((await params('/x.php')).HTTP_X_USER, undefined)
  t.equal((await params('/x.php', ['N999: evil'])).HTTP_N999, undefined, 'the first thousand')
  t.equal((await params('/x.php', ['N1999: b'])).HTTP_N1999, 'b', 'no more')
})

await eachAdapter(t, 'the params of authorizers as well', async (t, adapter) => {
  const { asked, get } = await guarded(t, adapter, [{ env: envs['left out'] }])
  await within('a response', get('/x.php?alice', ['X-User: evil']))
  await within('a response', get('/x.php', ['X-User: evil']))
  t.strictSame(
    asked[0]?.requests.map(({ params }) => params.HTTP_X_USER),
    ['alice', undefined],
  )
})

await eachAdapter(t, 'spellings of one name are never merged', async (t, adapter) => {
  const cases: Array<[passHeaders: string[], fields: string[], value: string | undefined]> = [
    [[], ['X_User: evil', 'X-User: good'], 'good'],
    [[], ['X-User: good', 'X_User: evil', 'X.User: evil', 'X~User: evil'], 'good'],
    [[], ['X_User: evil'], undefined],
    [['X_User'], ['X-User: evil', 'X_User: good', 'X.User: evil'], 'good'],
    [['X_User'], ['X-User: evil'], undefined],
    [['Redirect_Status'], ['Redirect_Status: 200'], undefined],
    [['X-User'], ['X_User: evil', 'X-User: good'], 'good'],
  ]
  for (const [passHeaders, fields, value] of cases) {
    const params = await start(t, adapter, { passHeaders })
    const sent = await params('/x.php', fields)
    t.equal(sent.HTTP_X_USER, value, `${passHeaders} ${fields}`)
    t.notOk('HTTP_REDIRECT_STATUS' in sent)
  }
})

t.test('options', (t) => {
  const upstream = 'fcgi://127.0.0.1:9'
  const make = (options: object) => () => createGateway({ upstream, root: '/', ...options })
  for (const passHeaders of [
    ['X_Foo', 'x-foo'],
    ['x.foo', 'X~Foo', 'y'],
  ])
    t.throws(make({ passHeaders }), /option passHeaders must be names of which no two become/)
  t.doesNotThrow(make({ passHeaders: ['X_Foo', 'x_foo'] }))
  for (const name of ['X-User', 'X_USER', 'HTTP_', 'HTTP_X-User', 1])
    t.throws(make({ reserveParams: [name] }), /option reserveParams must be .*'HTTP_X_USER'/)
  t.end()
})
