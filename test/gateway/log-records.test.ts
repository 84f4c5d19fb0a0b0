/** Log records: one for each failure, whoever else logs, with what an operator asks for. */

import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { format } from 'node:util'
import { fastcgiProxy as expressProxy } from '@fastcgi/express'
import { fastcgiProxy } from '@fastcgi/fastify'
import { createGateway } from '@fastcgi/gateway'
import express from 'express'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { NEEDS_FPM, phpFpm, SITE } from '../helpers/php-site.ts'
import { rawGet } from '../helpers/raw-http.ts'
import { eachRequest, endRecord, startPeer, stdoutRecords } from '../helpers/scripted-peer.ts'
import { until } from '../helpers/wait.ts'

interface LogRecord {
  readonly level: number
  readonly msg: string
  readonly [field: string]: unknown
}

const NONE: LogRecord = { level: 0, msg: '' }
const ROUTE = { root: '/srv/www', checkLocal: false, retries: 0 }

/** A Fastify app that logs as a production server does, and what it has logged at level warn and above. */
function loggingApp(t: Test): { app: FastifyInstance; records: LogRecord[] } {
  const records: LogRecord[] = []
  const stream = { write: (line: string) => void records.push(JSON.parse(line)) }
  const app = Fastify({ logger: { level: 'info', stream } })
  t.teardown(() => app.close())
  return { app, records }
}

/** Without the two records that Fastify writes for every request. */
function failures(records: readonly LogRecord[]): LogRecord[] {
  return records.filter(
    ({ msg }) => !/^(incoming request|request (completed|errored)|Server listening)/.test(msg),
  )
}

/** A server of node:http around a handler. */
async function listening(t: Test, handler: RequestListener): Promise<number> {
  const server: Server = createServer(handler)
  t.teardown(() => server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

t.test('Fastify: a failure is one record, with all that is known', async (t) => {
  const { app, records } = loggingApp(t)
  const upstream = { members: [{ address: 'unix:/nowhere/s', name: 'blue' }] }
  app.register(fastcgiProxy, { prefix: '/shop', upstream, ...ROUTE })
  const { statusCode } = await app.inject('/shop/a.php?secret=1')
  t.equal(statusCode, 502)
  const [record, ...more] = failures(records)
  t.strictSame(more, [])
  t.match(record, {
    level: 50,
    reqId: 'req-1',
    requestId: 'req-1',
    method: 'GET',
    path: '/shop/a.php',
    route: '/shop',
    script: '/srv/www/a.php',
    member: 'blue',
    phase: 'connect',
    option: 'upstream',
    remedy: /^start the application/,
    msg: /^cannot connect to unix:\/nowhere\/s \(option upstream\): there is no such socket/,
    err: { code: 'FCGI_CONNECT' },
  })
  t.notMatch(JSON.stringify(record), 'secret')
})

t.test('Fastify: a response that breaks off is one record', async (t) => {
  const peer = await startPeer(
    eachRequest((_request, connection) => {
      connection.write(stdoutRecords('X: 1\r\n\r\nbegin'))
      setImmediate(() => connection.finish())
    }),
  )
  t.teardown(() => peer.close())
  const { app, records } = loggingApp(t)
  app.register(fastcgiProxy, { upstream: peer.address, ...ROUTE })
  await app.listen({ host: '127.0.0.1', port: 0 })
  await rawGet((app.server.address() as AddressInfo).port, '/a.php').catch(() => {})
  await until('the record', () => failures(records).length > 0)
  await app.close()
  const [record, ...more] = failures(records)
  t.strictSame(more, [])
  t.match(record, { level: 50, phase: 'body', member: peer.address, msg: /^response broken off: / })
})

t.test('an authorizer whose denial breaks off is one record', async (t) => {
  const peer = await startPeer(
    eachRequest((_request, connection) => {
      connection.write(stdoutRecords('Status: 403\r\nContent-Length: 9\r\n\r\nx'), endRecord())
    }),
  )
  t.teardown(() => peer.close())
  const { app, records } = loggingApp(t)
  const guards = [{ authorizer: { upstream: peer.address, root: '/srv' } }]
  app.register(fastcgiProxy, { upstream: 'unix:/nowhere/s', ...ROUTE, guards })
  t.equal((await app.inject('/a.php')).statusCode, 503)
  t.match(failures(records), [{ level: 50, msg: /ended its response after 1 of 9 bytes/ }])
  t.equal(failures(records).length, 1)
})

t.test('Fastify: records of the app itself stay', async (t) => {
  const { app, records } = loggingApp(t)
  app.setErrorHandler((error, request, reply) => {
    request.log.error({ err: error }, 'mine')
    reply.log.error({ err: error }, 'mine, too')
    reply.code(500).send('sorry')
  })
  app.register(fastcgiProxy, { upstream: 'unix:/nowhere/s', ...ROUTE })
  app.get('/throws', () => {
    throw new Error('of the app')
  })
  t.equal((await app.inject('/a.php')).body, 'sorry')
  t.match(failures(records), [{ msg: /^cannot connect/ }, { msg: 'mine' }, { msg: 'mine, too' }])
  await app.inject('/throws')
  t.equal(failures(records).length, 5)
})

t.test('Fastify: without a logger of the proxy, its own record stays', async (t) => {
  const { app, records } = loggingApp(t)
  app.register(fastcgiProxy, { upstream: 'unix:/nowhere/s', ...ROUTE, logger: false })
  await app.inject('/a.php')
  t.match(failures(records), [{ level: 50, msg: 'Bad Gateway', err: { code: 'FCGI_CONNECT' } }])
})

t.test('a script that the code names and is not there', async (t) => {
  const { app, records } = loggingApp(t)
  const root = t.testdir({ 'right.php': '' })
  app.register(fastcgiProxy, { upstream: 'unix:/nowhere/s', root, replyOnly: true })
  app.get('/report', (_request, reply) => reply.fastcgi('/typo.php'))
  t.equal((await app.inject('/report')).statusCode, 404)
  t.match(failures(records)[0], {
    level: 40,
    path: '/report',
    phase: 'script',
    option: 'root',
    msg: `the script /typo.php does not exist: there is no file ${root}/typo.php (option root)`,
  })
})

const FACTS = [
  'member=unix:/nowhere/s phase=connect option=upstream',
  'remedy="start the application, or correct the option upstream"',
].join(' ')
const CAUSE =
  'cannot connect to unix:/nowhere/s (option upstream): there is no such socket; is the application running, is the path right?'

t.test('node:http: without a logger, a record is one line with all of it', async (t) => {
  const gateway = createGateway({ upstream: 'unix:/nowhere/s', ...ROUTE })
  t.teardown(() => gateway.close())
  const port = await listening(t, gateway.handler)
  const printed = t.capture(console, 'error')
  await rawGet(port, '/a.php?secret=1')
  t.strictSame(
    printed().map(({ args }) => args),
    [[`fastcgi: GET /a.php: ${CAUSE} (route=/ script=/srv/www/a.php ${FACTS})`]],
  )
})

t.test('Express: its own handler adds one line that only names the failure', async (t) => {
  const app = express()
  const proxy = expressProxy({ upstream: 'unix:/nowhere/s', ...ROUTE })
  t.teardown(() => proxy.close())
  app.use('/shop', proxy)
  const port = await listening(t, app)
  const printed = t.capture(console, 'error')
  const lines: unknown[] = []
  await rawGet(port, '/shop/a.php')
  await until('both lines', () => lines.push(...printed().map(({ args }) => format(...args))) > 1)
  t.strictSame(lines, [
    `fastcgi: GET /shop/a.php: ${CAUSE} (route=/shop script=/srv/www/a.php ${FACTS})`,
    'GatewayError: Bad Gateway (FCGI_CONNECT; logged with its cause)',
  ])
})

const OTHERS: ReadonlyArray<readonly [string, string, RegExp]> = [
  [
    'HTTP',
    'HTTP/1.1 400 Bad Request\r\n\r\n',
    /record of FastCGI version 72, expected 1; the peer speaks HTTP/,
  ],
  [
    'TLS',
    '\x15\x03\x01\x00\x02\x02\x46\x00',
    /version 21, .*speaks TLS; .* has the address fcgis:\/\/127\.0\.0\.1:\d+/,
  ],
]

for (const [what, bytes, expected] of OTHERS)
  t.test(`a peer that speaks ${what} is named, and what it speaks`, async (t) => {
    const peer = await startPeer(
      eachRequest((_request, connection) => void connection.write(Buffer.from(bytes, 'latin1'))),
      { listen: 'tcp' },
    )
    t.teardown(() => peer.close())
    const { app, records } = loggingApp(t)
    app.register(fastcgiProxy, { upstream: peer.address, ...ROUTE })
    t.equal((await app.inject('/a.php')).statusCode, 502)
    const [{ msg, member } = NONE] = failures(records)
    t.ok(msg.startsWith(`${peer.address} is no FastCGI application (option upstream): `), msg)
    t.match(msg, expected)
    t.equal(member, peer.address)
  })

t.test('a fatal error after a flood of notices', NEEDS_FPM, async (t) => {
  const php = await phpFpm(t)
  const { app, records } = loggingApp(t)
  app.register(fastcgiProxy, { upstream: php.address, root: SITE })
  t.equal((await app.inject('/flood.php')).statusCode, 500)
  const notices = failures(records).filter(({ msg }) => msg.includes('notice number'))
  t.equal(notices.length, 40, 'each notice is a record')
  const fatal = failures(records).filter(({ level }) => level === 50)
  t.match(fatal, [
    { msg: /PHP Fatal error: .*there_is_no_such_function/, script: `${SITE}/flood.php` },
  ])
})
