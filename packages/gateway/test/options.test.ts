/** Options: each one wrong once, unknown and renamed ones, and an object that is only read. */

import { createGateway, type GatewayOptions } from '@fastcgi/gateway'
import t from 'tap'
import { ask, site, Upstream } from './harness.ts'

const good = { upstream: '127.0.0.1:9', checkLocal: false }

function messageOf(options: object, where?: string): string {
  try {
    void createGateway(options as GatewayOptions, where)
  } catch (error) {
    const { name, code, message } = error as Error & { code: string }
    return code === 'FCGI_OPTION' ? message : `${name}: ${message}`
  }
  return 'nothing was thrown'
}

/** A wrong value of each option, and what the message says instead. */
const WRONG: Record<string, [value: unknown, remedy: string]> = {
  upstream: [7, "an address such as 'unix:/run/php/php-fpm.sock', a dispatcher, or a function"],
  root: ['www', 'an absolute path'],
  remoteRoot: ['srv/www', 'an absolute path'],
  resolveRoot: ['yes', 'true or false'],
  index: ['a/index.php', 'false, or a file name'],
  frontController: ['index.php', "a path that begins with '/'"],
  extensions: ['.php', 'an array'],
  mapExtensions: [{ php3: '.php' }, "{ '.php3': '.php' }"],
  buffering: [{ disk: 7 }, 'true or false, or an object with memory, file; not disk'],
  localRedirect: ['on', 'true or false'],
  cache: [{ valid: { 600: 1 } }, 'an object whose valid is an object of milliseconds by status'],
  responseHeaders: [{ ignore: ['x-powered-by'] }, 'one of x-accel-buffering, x-accel-redirect'],
  interceptErrors: [[302], 'true or false, or an array, each item a whole number, 400 to 599'],
  pathInfo: ['lazy', 'one of "script", "first-dot", "last-dot", "full", "all"'],
  backendType: ['FPM', 'one of "fpm", "generic"'],
  checkLocal: [1, 'true or false'],
  followSymlinks: ['no', 'true or false'],
  static: [null, 'true or false'],
  env: ['A=b', 'an object of params, or a function'],
  serverName: ['', 'a string that is not empty'],
  passHeaders: ['x_a', 'an array'],
  reserveParams: [['X-User'], 'HTTP_X_USER'],
  brokenScriptFilename: [0, 'true or false'],
  fixRootScriptName: ['on', 'true or false'],
  stripRequestUri: ['app', "a path that begins with '/'"],
  sendfile: [{ roots: ['files'] }, 'an object whose roots is an array, each item an absolute path'],
  sendfileParam: ['A=1', 'the name of a param'],
  routes: [[], 'an array of routes'],
  guards: [{ match: '/a/' }, 'an array of { match, authorizer }'],
  accel: [{ '/files/': 'files' }, "an object such as { '/protected/': '/srv/files' }"],
  clusters: ['main', 'an object of balancers by name'],
  exclude: [['static'], "an array, each item a path that begins with '/'"],
  deny: [['data/x'], "an array, each item a path that begins with '/', or a name without slashes"],
  unknownLength: ['buffer', 'one of "spool", "stream", "reject"'],
  spoolBodies: ['all', 'true or false'],
  maxBodySize: [-1, 'a whole number, 0 or more'],
  spoolMemory: [1.5, 'a whole number, 0 or more'],
  spoolDirectory: ['tmp', 'an absolute path'],
  errorPage: [
    { detail: true },
    'true or false, or an object with details; not detail (did you mean details?)',
  ],
  maxParamsSize: [10, 'a whole number, 1024 to 16777216'],
  logger: [{ info() {} }, 'info, warn and error'],
  reuse: ['on', 'true or false'],
  maxConnections: [0, '"auto"'],
  minConnections: [0, 'a whole number, 1 to 65535'],
  softMaxConnections: [-1, 'a whole number, 0 to 65535'],
  idleTimeout: ['1s', 'milliseconds'],
  maxAge: [-1, 'milliseconds'],
  maxRequests: ['500', 'a whole number, 0 or more'],
  fairness: [Number.NaN, 'milliseconds'],
  maxQueue: [-1, 'a whole number, 0 or more'],
  queueTimeout: [null, 'milliseconds'],
  retries: [1000, 'a whole number, 0 to 100'],
  maxHeadSize: [1, 'a whole number, 64 to 16777216'],
  tcpKeepAlive: [1, 'true or false'],
  tls: [true, 'an object'],
  multiplex: ['yes', 'true or false, or one of "auto"'],
  maxMultiplexed: [0, 'a whole number, 1 to 65535'],
  maxPausedSize: [-1, 'a whole number, 0 or more'],
  timeouts: [
    { read: 5 },
    'an object with connect, head, idle, write, body, multiplexReader, abort, reader, send; not read',
  ],
}

for (const [name, [value, remedy]] of Object.entries(WRONG))
  t.test(`${name} wrong`, (t) => {
    const message = messageOf({ ...good, [name]: value })
    t.ok(message.startsWith(`createGateway: option ${name} must be `), message)
    t.ok(message.includes(remedy), message)
    t.ok(message.endsWith(`; got ${JSON.stringify(value) ?? String(value)}`), message)
    t.end()
  })

t.test('every option has been wrong once', (t) => {
  const message = messageOf({ ...good, nonsense: 1 })
  const known = message.replace(/^.*there are /, '').split(', ')
  t.match(message, /^createGateway: unknown option nonsense; there are upstream, root/)
  t.strictSame(
    known.filter((name) => !(name in WRONG)),
    [],
  )
  t.end()
})

t.test('more wrong values', (t) => {
  for (const env of [{ 'A=B': 'x' }, { A: 'x\0y' }, { A: {} }, { A: [] }, { '': 'x' }])
    t.match(messageOf({ ...good, env }), /option env must be an object of params/)
  for (const extensions of [['php'], ['.PHP'], ['.'], ['.a/b']])
    t.match(
      messageOf({ ...good, extensions }),
      /option extensions must be an array, each item an ending/,
    )
  t.match(
    messageOf({ ...good, timeouts: { head: -1 } }),
    /timeouts must be an object whose head is mill/,
  )
  t.match(messageOf({ ...good, index: true }), /option index must be/)
  t.match(messageOf({ ...good, upstream: 'nonsense::' }), /nonsense::/)
  t.match(messageOf({ ...good, upstream: {} }), /option (upstream|members) /)
  t.match(
    messageOf({ ...good, upstream: () => 5 }),
    /option upstream must be an address.*got number/,
  )
  t.match(messageOf({ checkLocal: false }), /option upstream is missing; .*unix:/)
  for (const options of [undefined, null, 5, 'x'])
    t.match(messageOf(options as never), /options must be an object/)
  t.end()
})

t.test('names of the original servers', (t) => {
  const renamed = {
    docroot: 'root or remoteRoot',
    documentRoot: 'root',
    max: 'maxConnections',
    ttl: 'idleTimeout',
    disablereuse: 'reuse: false',
    readTimeout: 'timeouts: { head, idle }',
    params: 'env',
    socket: 'upstream',
  }
  for (const [name, here] of Object.entries(renamed))
    t.equal(
      messageOf({ ...good, [name]: 1 }),
      `createGateway: unknown option ${name}; here it is ${here}`,
    )
  t.match(messageOf({ ...good, __proto__: { root: 5 } }), /nothing was thrown/, 'own ones only')
  t.match(
    messageOf(JSON.parse('{"upstream":"127.0.0.1:9","__proto__":1}')),
    /unknown option __proto__/,
  )
  t.match(messageOf({ ...good, toString: 1 }), /unknown option toString/)
  t.end()
})

t.test('routes are checked, too, and named', (t) => {
  const at = (route: unknown, where?: string) =>
    messageOf({ ...good, routes: [{ match: '/' }, route] }, where)
  t.match(at({}), /createGateway, routes\[1\]: option match is missing; .*'\.php'/)
  t.match(
    at({ match: 'php' }),
    /createGateway, routes\[1\]: option match must be a path.*or an ending/,
  )
  t.match(at({ match: '/', root: 'x' }, 'fastcgiProxy'), /fastcgiProxy, routes\[1\]: option root/)
  t.match(at({ match: '/', reuse: true }), /routes\[1\]: unknown option reuse/)
  t.match(at({ match: '/', checkLocal: true, root: undefined }), /option root is missing/)
  t.match(at(null), /routes\[1\]: options must be an object/)
  t.match(messageOf({ checkLocal: false, routes: [{ match: '/' }] }), /option upstream is missing/)
  t.end()
})

t.test('undefined is as if it were not there', (t) => {
  const nothing = Object.fromEntries(Object.keys(WRONG).map((name) => [name, undefined]))
  t.equal(messageOf({ ...nothing, ...good, timeouts: { head: undefined } }), 'nothing was thrown')
  t.end()
})

t.test('timeouts.send is an option of the gateway, and the pools never see it', async (t) => {
  const upstream = 'unix:/tmp/none.sock'
  const gateway = createGateway({
    root: site(t, 'a.php'),
    upstream,
    timeouts: { send: 5, head: 5 },
  })
  await gateway.close()
  const clusters = { a: { members: [upstream], timeouts: { send: 5 } as object } }
  t.match(
    messageOf({ root: '/', upstream: 'balancer://a', clusters }),
    /timeouts must be .*; not send/,
    'not of a balancer',
  )
  t.match(messageOf({ ...good, timeouts: { send: -1 } }), /an object whose send is milliseconds/)
})

t.test('the options are never written to', async (t) => {
  const upstream = new Upstream()
  const options: GatewayOptions<never> = {
    upstream,
    root: site(t, 'a.php'),
    extensions: ['.php'],
    mapExtensions: { '.php3': '.php' },
    env: { A: '1' },
    passHeaders: ['x_a'],
    exclude: ['/x'],
    timeouts: { head: 1000 },
    routes: [{ match: '.php', env: { B: '2' } }],
  }
  const before = JSON.stringify(options, (key, value) => (key === 'upstream' ? '' : value))
  const freeze = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || value === upstream) return
    Object.freeze(value)
    for (const item of Object.values(value)) freeze(item)
  }
  freeze(options)
  const gateway = createGateway(options)
  t.equal((await ask(gateway, '/a.php', { headers: { 'x-b': 'c' } })).status, 200)
  t.equal(
    JSON.stringify(options, (key, value) => (key === 'upstream' ? '' : value)),
    before,
  )
  await gateway.close()
})
