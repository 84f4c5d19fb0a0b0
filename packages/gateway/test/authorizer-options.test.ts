/** Options of authorizers: each one wrong once, and those that do not go together. */
import { poolChecks } from '@fastcgi/client/internal'
import { type AuthorizerOptions, createAuthorizer } from '@fastcgi/gateway'
import t from 'tap'
import { ask, Upstream } from './harness.ts'

const good = { upstream: '127.0.0.1:9' }

function messageOf(options: unknown): string {
  try {
    void createAuthorizer(options as AuthorizerOptions)
  } catch (error) {
    const { name, code, message } = error as Error & { code: string }
    return code === 'FCGI_OPTION' ? message : `${name}: ${message}`
  }
  return 'nothing was thrown'
}

/** A wrong value of each option that is an authorizer's own or taken over from the gateway, and what the message says. */
const WRONG: Record<string, [value: unknown, remedy: string]> = {
  upstream: [7, "an address such as 'unix:/run/php/php-fpm.sock'"],
  root: ['www', 'an absolute path'],
  remoteRoot: ['srv/www', 'an absolute path'],
  env: ['A=b', 'an object of params, or a function'],
  serverName: ['', 'a string that is not empty'],
  passHeaders: ['x_a', 'an array'],
  reserveParams: [['X-User'], 'HTTP_X_USER'],
  stripRequestUri: ['app', "a path that begins with '/'"],
  clusters: ['main', 'an object of balancers by name'],
  maxParamsSize: [10, 'a whole number, 1024 to 16777216'],
  logger: [{ info() {} }, 'info, warn and error'],
  match: ['php', "an ending such as '.php'"],
  script: ['authorize.php', "a path that begins with '/'"],
  phase: ['access', 'one of "access-checker", "authenticator", "authorizer"'],
  realm: ['a\nb', 'printable ASCII text'],
  compat: ['off', 'true or false'],
  authoritative: ['Off', 'true or false'],
  failOpen: [1, 'true or false'],
  sendStdin: ['no', 'true or false'],
  docroot: ['private', 'an absolute path'],
  stripHeaders: ['x-user', 'true or false, or an array'],
  cache: [{ ttl: 5, size: 3 }, 'an object with key, ttl, max; not size'],
}

for (const [name, [value, remedy]] of Object.entries(WRONG))
  t.test(`${name} wrong`, (t) => {
    const message = messageOf({ ...good, [name]: value })
    t.ok(message.startsWith(`createAuthorizer: option ${name} must be `), message)
    t.ok(message.includes(remedy), message)
    t.ok(message.endsWith(`; got ${JSON.stringify(value) ?? String(value)}`), message)
    t.end()
  })

/** Of connections; checked where the gateway's are. */
const OF_POOLS = Object.keys(poolChecks)

t.test('every option has been wrong once', (t) => {
  const message = messageOf({ ...good, nonsense: 1 })
  const known = message.replace(/^.*there are /, '').split(', ')
  t.match(message, /^createAuthorizer: unknown option nonsense; there are /)
  t.strictSame(
    known.filter((name) => !(name in WRONG) && !OF_POOLS.includes(name)),
    [],
  )
  for (const name of OF_POOLS)
    t.match(messageOf({ ...good, [name]: 'wrong' }), `option ${name} must be`)
  t.end()
})

t.test('more wrong values', (t) => {
  for (const match of [[], ['x'], '', '.PHP', 5])
    if (!Array.isArray(match) || match.length > 0)
      t.match(messageOf({ ...good, match }), /option match must be/)
  for (const stripHeaders of [[''], [5], ['Content-Length'], ['host'], [':path'], null])
    t.match(messageOf({ ...good, stripHeaders }), /option stripHeaders must be/)
  for (const cache of [5, null, { key: 'url' }, { ttl: 0, key() {} }, { max: 0, key() {} }])
    t.match(messageOf({ ...good, cache }), /option cache must be an object/)
  t.match(messageOf({}), /createAuthorizer: option upstream is missing/)
  for (const options of [undefined, null, 5, 'x', [null]])
    t.match(messageOf(options), /options must be an object/)
  t.end()
})

t.test('options that do not go together', (t) => {
  const list = (...guards: object[]) => messageOf(guards.map((guard) => ({ ...good, ...guard })))
  t.match(messageOf([]), /there is no guard in the list/)
  t.match(messageOf({ ...good, script: '/a.php' }), /option script needs root/)
  const realm = /option realm is for phase: 'authenticator' or 'authorizer'/
  t.match(messageOf({ ...good, realm: 'x' }), realm)
  t.match(messageOf({ ...good, phase: 'access-checker', realm: 'x' }), realm)
  t.match(messageOf({ ...good, cache: {} }), /option cache needs key/)
  t.match(messageOf({ ...good, authoritative: false }), /passed on to nobody/)
  t.match(list({}, { authoritative: false }), /passed on to nobody/)
  t.match(list({}, { realm: 'x' }), /createAuthorizer, guard 2: option realm/)
  t.match(
    list({ phase: 'authenticator', authoritative: false }, { phase: 'authorizer' }),
    /guard 1: option authoritative: .* of the same phase.*phase authorizer/,
  )
  t.match(list({ phase: 'authenticator', authoritative: false }, {}), /of the same phase/)
  const perhaps = { phase: 'authenticator', authoritative: false }
  t.equal(list(perhaps, { phase: 'authenticator' }, { phase: 'authorizer' }), 'nothing was thrown')
  t.equal(list({ authoritative: false }, {}), 'nothing was thrown')
  t.end()
})

t.test('the options are never written to', async (t) => {
  const options: AuthorizerOptions<never> = {
    upstream: new Upstream(),
    match: ['/A/', '.php'],
    stripHeaders: ['X-User'],
    env: { A: '1' },
    cache: { key: () => 'x' },
    timeouts: { head: 1000, send: 1000 },
  }
  const freeze = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || value instanceof Upstream) return
    Object.freeze(value)
    for (const item of Object.values(value)) freeze(item)
  }
  freeze(options)
  const authorizer = createAuthorizer<never>(options)
  t.equal((await ask(authorizer, '/x.php')).status, 404, 'let through')
  await authorizer.close()
})
