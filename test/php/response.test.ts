/** Statuses, header fields, bodies that may not be, events, and what PHP complains about. */
import { writeFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { join } from 'node:path'
import { RecordType } from '@fastcgi/protocol'
import t from 'tap'
import { type AdapterName, eachAdapter, startAdapter } from '../helpers/adapters.ts'
import { KEPT } from '../helpers/kept.ts'
import { ask, RawConversation } from '../helpers/php-http.ts'
import { skipsOnWasm } from '../helpers/php-on-wasm.ts'
import {
  countConnections,
  NEEDS_CGI,
  NEEDS_FPM,
  phpCgi,
  phpFpm,
  SITE,
} from '../helpers/php-site.ts'
import { rawGet, rawRequest } from '../helpers/raw-http.ts'
import { eachRequest, endRecord, record, startPeer } from '../helpers/scripted-peer.ts'
import { until } from '../helpers/wait.ts'

t.test('php-fpm', NEEDS_FPM, async (t) => {
  const php = await phpFpm(t)
  const start = (adapter: AdapterName, test = t, env?: Record<string, string>) =>
    startAdapter(test, adapter, { upstream: php.address, root: SITE, env })

  await eachAdapter(t, 'several Set-Cookie', async (t, adapter) => {
    const { port } = await start(adapter, t)
    const { headers } = await ask(port, '/cookies.php')
    t.match(headers['set-cookie'], [
      /^a=1$/,
      /^b=2; expires=Wed, 18.May.2033 03:33:20 GMT; Max-Age=\d+; path=\/shop; HttpOnly$/,
      /^c=x%2C%20y$/,
    ])
    t.equal(headers['set-cookie']?.length, 3)
  })

  await eachAdapter(t, 'status codes and reasons', async (t, adapter) => {
    if (skipsOnWasm(t, 'reason')) return
    const { port } = await start(adapter, t)
    const statuses: Array<[number, string]> = [
      // PHP says no status where it is 200, and so no reason either.
      [200, 'OK'],
      [201, 'Created'],
      [299, 'Something Else'],
      [404, 'Lost'],
      [418, 'Short And Stout'],
      [451, 'Unavailable For Legal Reasons'],
      [500, 'Broken'],
      [503, 'Later'],
      [599, 'The Last'],
    ]
    for (const [code, reason] of statuses) {
      const path = `/status.php?code=${code}&reason=${encodeURIComponent(reason)}`
      const answer = await ask(port, path)
      t.same([answer.status, answer.reason, answer.body.toString()], [code, reason, 'body'])
    }
  })

  await eachAdapter(t, 'a response head of 36 KB', async (t, adapter) => {
    const { port } = await start(adapter, t)
    const { status, headers, body } = await rawGet(port, '/large-head.php')
    t.equal(status, 200)
    for (let n = 0; n < 36; n++)
      t.equal(headers[`x-large-${n}`], String.fromCharCode(97 + (n % 26)).repeat(1000))
    t.match(body, 'body')
  })

  // A body that is sent all the same would stand where the next response is to begin.
  for (const [name, target, method] of [
    ['HEAD', '/length.php', 'HEAD'],
    ['HEAD with a body of unknown length', '/pid.php', 'HEAD'],
    ['204', '/status.php?code=204&reason=None', 'GET'],
    ['304', '/status.php?code=304&reason=Old', 'GET'],
    ['204 with a body', '/forbidden-body.php?code=204', 'GET'],
    ['304 with a body', '/forbidden-body.php?code=304', 'GET'],
  ] as const)
    await eachAdapter(t, `${name} has no body, and connections stay`, async (t, adapter) => {
      const expected = method === 'HEAD' ? 200 : Number(name.slice(0, 3))
      const { port, close } = await start(adapter, t)
      const first = `${method} ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`
      const second = 'GET /pid.php HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
      const { text, status, headers } = await rawRequest(port, first + second)
      t.equal(status, expected)
      t.match(text, /^HTTP\/1\.1 \d+ [\s\S]*?\r\n\r\nHTTP\/1\.1 200 /, 'the next response follows')
      if (target === '/length.php') t.equal(headers['content-length'], '21')
      else if (method === 'GET') t.notOk(headers['transfer-encoding'])

      // The two ran at the same time; workers must be free for what follows.
      await close()
      const counter = await countConnections(t, php)
      const { port: counted } = await startAdapter(t, adapter, {
        upstream: counter.address,
        root: SITE,
        ...KEPT,
      })
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      t.teardown(() => agent.destroy())
      t.equal((await ask(counted, target, { method, agent })).status, expected)
      t.equal((await ask(counted, '/pid.php', { agent })).status, 200)
      t.equal(counter.count(), 1, 'one connection to PHP')
    })

  await eachAdapter(t, 'Location without a status', async (t, adapter) => {
    const { port } = await start(adapter, t)
    const { status, headers } = await ask(port, '/location.php')
    t.same([status, headers.location], [302, 'http://elsewhere.example/?a=b'])
  })

  await eachAdapter(t, 'a fatal error is 500, and the process lives', async (t, adapter) => {
    const options = { upstream: php.address, root: SITE, ...KEPT } as const
    const { port, log } = await startAdapter(t, adapter, options)
    const { status, headers } = await ask(port, '/fatal.php')
    t.equal(status, 500)
    t.match(log.join('\n'), /stderr of the application: .*Call to undefined function/)
    const { body } = await ask(port, '/pid.php')
    t.equal(body.toString(), headers['x-pid'], 'on the same connection')
  })

  await eachAdapter(t, 'what PHP complains about is logged in whole lines', async (t, adapter) => {
    if (skipsOnWasm(t, 'log')) return
    const { port, log } = await start(adapter, t)
    const { body } = await ask(port, '/notice.php')
    t.equal(body.toString(), 'answer')
    const text = log.map((line) => line.replace('stderr of the application: ', '')).join('\n')
    // php-fpm joins messages, and gives the whole a line end.
    t.match(text, /^PHP message: one line of the log\nPHP message: two lines\nof the log\n/)
    t.match(text, /\nPHP message: (long ){100}end\n/)
    t.match(text, /\nPHP message: PHP Warning: {2}Undefined variable \$nothing in .* on line \d+$/)
    t.equal(log.length, 5)
  })

  await eachAdapter(t, 'server-sent events arrive one by one', async (t, adapter) => {
    const directory = t.testdir()
    const { port } = await start(adapter, t, { TEST_DIR: directory })
    const request = 'GET /events.php HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
    const client = await RawConversation.start(port, request)
    await client.receives(/^HTTP\/1\.1 200 [\s\S]*text\/event-stream[\s\S]*data: first\n\n/)
    t.notMatch(client.text, 'second')
    writeFileSync(join(directory, 'go'), '')
    await client.receives(/data: second\n\n\r\n0\r\n\r\n$/)
    await client.closed
  })
})

t.test('php-cgi', NEEDS_CGI, async (t) => {
  const php = await phpCgi(t)

  await eachAdapter(t, 'heads, statuses and errors', async (t, adapter) => {
    const { port, log } = await startAdapter(t, adapter, { upstream: php.address, root: SITE })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    t.teardown(() => agent.destroy())
    const { headers } = await ask(port, '/cookies.php', { agent })
    t.equal(headers['set-cookie']?.length, 3)
    const teapot = await ask(port, '/status.php?code=418&reason=Teapot', { agent })
    t.same([teapot.status, teapot.reason], [418, 'Teapot'])
    const head = await ask(port, '/length.php', { agent, method: 'HEAD' })
    t.same([head.status, head.headers['content-length'], head.body.length], [200, '21', 0])
    t.equal((await ask(port, '/forbidden-body.php?code=304', { agent })).status, 304)
    t.equal((await ask(port, '/location.php', { agent })).status, 302)
    t.equal((await ask(port, '/fatal.php', { agent })).status, 500)
    await until('the log', () => log.some((line) => line.includes('Call to undefined function')))
    t.match((await ask(port, '/pid.php', { agent })).body.toString(), /^\d+$/)
  })
})

// PHP never sends a head alone: flush() does not when there is no output.
t.test('the head comes before there is a body', async (t) => {
  const head = record(RecordType.STDOUT, 'X-Early: yes\r\nContent-Type: text/plain\r\n\r\n')
  let goOn = () => {}
  const peer = await startPeer(
    eachRequest(async (request, connection) => {
      await request.stdin()
      connection.write(head)
      await new Promise<void>((resolve) => {
        goOn = resolve
      })
      connection.write(record(RecordType.STDOUT, 'body'), endRecord())
    }),
  )
  t.teardown(() => peer.close())
  await eachAdapter(t, 'head first', async (t, adapter) => {
    const { port } = await startAdapter(t, adapter, { upstream: peer.address, checkLocal: false })
    const request = 'GET /x.php HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
    const client = await RawConversation.start(port, request)
    await client.receives(/^HTTP\/1\.1 200 [\s\S]*x-early: yes[\s\S]*\r\n\r\n$/i)
    goOn()
    await client.receives(/body\r\n0\r\n\r\n$/)
    await client.closed
  })
})
