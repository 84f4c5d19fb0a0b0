/** The options responseHeaders and interceptErrors: what of an application's response reaches the client. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { GatewayError } from '@fastcgi/gateway'
import t from 'tap'
import { type AdapterOptions, eachAdapter } from '../helpers/adapters.ts'
import { type Behind, behind, whole } from '../helpers/behind.ts'
import { KEPT } from '../helpers/kept.ts'
import { eachRequest, endRecord, stdoutRecords } from '../helpers/scripted-peer.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { until } from '../helpers/wait.ts'

nothingEscapes()

const answers = (head: string, body = 'body of the application') =>
  eachRequest(async (request, connection) => {
    await request.stdin()
    connection.write(whole(head, body))
    if (!request.keepConnection) connection.finish()
  })

const HEAD = [
  'X-Powered-By: PHP/8.4',
  'x-powered-by: twice',
  'Server: old',
  'Content-Type: text/html',
  'Content-Disposition: attachment; filename="a"',
  'Content-Length: 23',
  'X-Frame-Options: ALLOW',
  'Set-Cookie: a=1',
].join('\r\n')

await eachAdapter(t, 'responseHeaders: hide and set', async (t, name) => {
  const responseHeaders = {
    hide: ['X-Powered-By', 'server', 'content-length'],
    set: { 'X-Frame-Options': 'DENY', 'x-by': 'caf\xe9' },
  }
  const { get } = await behind(t, name, answers(`${HEAD}\r\n\r\n`), { responseHeaders })
  const { status, headers, text } = await get()
  t.equal(status, 200)
  t.notOk('x-powered-by' in headers)
  t.notOk('server' in headers)
  t.equal(headers['x-frame-options'], 'DENY')
  t.equal(headers['x-by'], 'caf\xe9')
  t.equal(headers['set-cookie'], 'a=1')
  t.match(text, 'body of the application', 'all of it, though its length is hidden')
  t.equal(text.split(/x-frame-options/i).length, 2, 'once')
})

await eachAdapter(t, 'a hidden Content-Length is still checked', async (t, name) => {
  const { get, app } = await behind(t, name, answers('Content-Length: 100\r\n\r\n'), {
    responseHeaders: { hide: ['Content-Length'] },
  })
  t.equal((await get()).status, 502)
  t.match(app.log, [/ended its response after 23 of 100 bytes/])
})

await eachAdapter(t, 'responseHeaders: ignore', async (t, name) => {
  const root = mkdtempSync(join(tmpdir(), 'rules-'))
  t.teardown(() => rmSync(root, { recursive: true }))
  writeFileSync(join(root, 'f.txt'), 'of a file')
  const head = `X-Sendfile: ${root}/f.txt\r\nX-Accel-Redirect: /in/f.txt\r\nX-Accel-Buffering: yes\r\n\r\n`
  const options = { sendfile: { roots: [root] }, accel: { '/in/': root } }
  const got = async (ignore: string[]): Promise<string> => {
    const responseHeaders = { ignore, set: { 'x-set': 'yes' }, hide: ['x-sendfile'] }
    const { get } = await behind(t, name, answers(head), { ...options, responseHeaders })
    const { text, headers } = await get()
    t.equal(headers['x-set'], 'yes', 'also with files that the application hands over')
    t.notMatch(Object.keys(headers).join(), /x-sendfile|x-accel/)
    return text
  }
  t.match(await got([]), 'of a file', 'a field that is only hidden counts')
  t.match(await got(['X-Sendfile']), 'of a file', 'by X-Accel-Redirect')
  t.match(await got(['x-sendfile', 'x-accel-redirect']), 'body of the application')
})

await eachAdapter(t, 'routes have rules of their own', async (t, name) => {
  const { get } = await behind(t, name, answers('X-A: 1\r\n\r\n'), {
    responseHeaders: { hide: ['x-a'] },
    routes: [{ match: '/own/', responseHeaders: { set: { 'x-own': 'yes' } } }, { match: '/' }],
  })
  t.match((await get('/own/x.php')).headers, { 'x-a': '1', 'x-own': 'yes' })
  const { headers } = await get('/x.php')
  t.notOk('x-a' in headers || 'x-own' in headers)
})

/** Each framework with an error page of its own. */
const PAGES: Partial<AdapterOptions> = {
  fastify: (app) => {
    app.setErrorHandler((error: GatewayError, _request, reply) => {
      reply
        .code(error.statusCode)
        .headers(error.headers)
        .type('text/html')
        .send(`<h1>${error.code} ${error.message}</h1>`)
    })
  },
}

const shown = (name: string, code: string, text: string): string =>
  name === 'fastify' ? `<h1>${code} ${text}</h1>` : text

await eachAdapter(t, 'interceptErrors: all of them', async (t, name) => {
  const head = (status: string): string => `Status: ${status}\r\nContent-Type: text/html\r\n`
  let say = ''
  const does = eachRequest(async (request, connection) => {
    await request.stdin()
    connection.write(whole(`${say}\r\n`, 'secret trace'))
    if (!request.keepConnection) connection.finish()
  })
  const { get, send } = await behind(t, name, does, { ...PAGES, interceptErrors: true })
  for (const [status, text] of [
    [404, 'Not Found'],
    [418, "I'm a Teapot"],
    [500, 'Internal Server Error'],
    [503, 'Service Unavailable'],
  ] as const) {
    say = `${head(`${status} Custom`)}X-Trace: 1\r\nRetry-After: 7\r\n`
    const got = await get()
    t.equal(got.status, status)
    t.notMatch(got.text, /secret|x-trace/i)
    t.match(got.text.replace('&#39;', "'"), shown(name, 'FCGI_STATUS', text))
    t.equal(got.headers['retry-after'], '7')
    t.equal((await send('POST /x.php', ['Content-Length: 3'], 'abc')).status, status)
    const head_ = await send('HEAD /x.php')
    t.equal(head_.status, status)
  }
  say = `${head('401 No')}WWW-Authenticate: Basic realm="a"\r\nWWW-Authenticate: Bearer\r\n`
  t.equal((await get()).headers['www-authenticate'], 'Basic realm="a", Bearer')
  say = `${head('405 No')}Allow: GET, HEAD\r\n`
  t.equal((await get()).headers.allow, 'GET, HEAD')
  for (const status of [200, 302, 399]) {
    say = head(`${status} x`)
    const got = await get()
    t.equal(got.status, status)
    t.match(got.text, 'secret trace')
  }
})

await eachAdapter(t, 'interceptErrors: a list, and before X-Sendfile', async (t, name) => {
  const head = 'Status: 404 Not Found\r\nX-Sendfile: /etc/hostname\r\n\r\n'
  const { get } = await behind(t, name, answers(head), {
    interceptErrors: [404],
    sendfile: { roots: ['/etc'] },
  })
  t.equal((await get()).status, 404)
  const other = await behind(t, name, answers('Status: 500 Broken\r\n\r\n'), {
    interceptErrors: [404, 503],
  })
  t.match((await other.get()).text, 'body of the application')
})

await eachAdapter(t, 'interceptErrors: the application is let go', async (t, name) => {
  let open = 0
  /** An error page without an end. */
  const endless = eachRequest((_request, connection) => {
    open++
    connection.write(stdoutRecords('Status: 500 Broken\r\n\r\n'))
    const timer = setInterval(() => connection.write(stdoutRecords('x'.repeat(60_000))), 1)
    connection.closed.then(() => {
      clearInterval(timer)
      open--
    })
  })
  const made: Behind = await behind(t, name, endless, { interceptErrors: true })
  t.equal((await made.get()).status, 500)
  await until('the end of the exchange', () => open === 0)
  const short = await behind(
    t,
    name,
    eachRequest((_request, connection) => {
      connection.write(stdoutRecords('Status: 500 Broken\r\n\r\n'))
      connection.write(stdoutRecords('page'), endRecord())
    }),
    { interceptErrors: true, ...KEPT },
  )
  await short.get()
  await short.get()
  t.equal(short.peer.connections.length, 1, 'a short page leaves the connection open')
})
