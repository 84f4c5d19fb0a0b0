/** Web servers that do not read, do not write, or write too much: they are cut off, and the others go on. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { FastCGIRequest, FastCGIServer } from '@fastcgi/application'
import { encodeNameValues, encodeRecord, RecordType } from '@fastcgi/protocol'
import t, { type Test } from 'tap'
import { scaled } from '../helpers/time-limit.ts'
import { delay, until, within } from '../helpers/wait.ts'
import { connectTo, parse, startServer, type WebServer } from '../helpers/web-server.ts'

const BEGIN = Buffer.from([0, 1, 1, 0, 0, 0, 0, 0])
const begin = (id: number) => encodeRecord(RecordType.BEGIN_REQUEST, id, BEGIN)
const params = (id: number, content: Buffer) => encodeRecord(RecordType.PARAMS, id, content)
const POST = { REQUEST_METHOD: 'POST' }

/** `/endless` answers until nobody takes it, `/held` when it is told to, anything else at once. */
function listener(held: ServerResponse[] = []) {
  return (req: FastCGIRequest, res: ServerResponse) => {
    req.on('error', () => {})
    if (req.url === '/held') held.push(res)
    else if (req.url !== '/endless') res.end('ok')
    else {
      const chunk = Buffer.alloc(65_536)
      const more = () => {
        while (res.write(chunk));
      }
      res.on('drain', more)
      more()
    }
  }
}

/** Somebody else's connection, which is served all the time. */
async function bystander(t: Test, port: number): Promise<() => Promise<void>> {
  const web = await connectTo(t, port)
  let going = true
  let answers = 0
  const run = async () => {
    while (going) {
      const { body } = await web.get()
      if (body !== 'ok') throw new Error(`the bystander got ${body}`)
      answers++
      await delay(5)
    }
  }
  const running = run()
  return async () => {
    going = false
    await running
    t.ok(answers > 1, `others were served meanwhile: ${answers} answers`)
  }
}

async function failure(server: FastCGIServer): Promise<Error> {
  const [error] = await within('clientError', once(server, 'clientError'))
  return error as Error
}

t.test('a web server that never reads', async (t) => {
  const { server, port } = await startServer(t, listener(), { timeouts: { write: 200 } })
  const served = await bystander(t, port)
  const web = await connectTo(t, port)
  web.socket.pause()
  const failed = failure(server)
  web.ask({ params: { REQUEST_URI: '/endless' } })
  t.match(await failed, {
    message: 'the web server has not read for 200 ms (option timeouts.write)',
  })
  web.socket.resume()
  await within('the end of the connection', web.closed)
  await served()
})

t.test('a web server that reads slowly is not one that does not read', async (t) => {
  const write = scaled(300)
  const { port } = await startServer(t, listener(), { timeouts: { write } })
  const web = await connectTo(t, port)
  let received = 0
  web.onStdout(1, (piece) => {
    received += piece.length
  })
  web.ask({ params: { REQUEST_URI: '/endless' } })
  for (let n = 0; n < 20; n++) {
    web.socket.pause()
    await delay(write / 6)
    const before = received
    web.socket.resume()
    await web.until('more', () => received > before + 100_000)
  }
  t.ok(received > 2_000_000, 'served for over twice the limit')
  web.socket.destroy()
})

t.test('half a record, and nothing more', async (t) => {
  const { server, port } = await startServer(t, listener(), { timeouts: { params: 200 } })
  const served = await bystander(t, port)
  for (const half of [begin(1).subarray(0, 3), begin(1).subarray(0, 12)]) {
    const web = await connectTo(t, port)
    const failed = failure(server)
    web.socket.write(half)
    t.match(await failed, {
      message: /a record has not ended for 200 ms \(option timeouts.params\)/,
    })
    await within('the end of the connection', web.closed)
  }
  await served()
})

t.test('params that never end', async (t) => {
  const { port } = await startServer(t, listener(), {
    timeouts: { params: 200, linger: 200 },
  })
  const served = await bystander(t, port)
  for (const bytes of [
    begin(1),
    Buffer.concat([begin(1), params(1, Buffer.of(3)).subarray(0, 9)]),
  ]) {
    const web = await connectTo(t, port)
    web.socket.write(bytes)
    await within('END_REQUEST', web.answer().done)
    t.equal(parse(web.answer()).status, 408)
    await within('the end of the connection', web.closed)
  }
  await served()
})

t.test('10,000 params, and params of many bytes', async (t) => {
  const { port } = await startServer(t, listener(), { timeouts: { linger: 200 } })
  const served = await bystander(t, port)
  const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`P${n}`, 'v']))
  const large = Object.fromEntries(
    Array.from({ length: 10 }, (_, n) => [`P${n}`, 'v'.repeat(20_000)]),
  )
  for (const given of [many, large]) {
    const web = await connectTo(t, port)
    const response = await web.get({ params: given })
    t.match(response, { status: 431, body: 'Request Header Fields Too Large\n' })
    await within('the end of the connection', web.ended)
  }
  await served()
})

t.test('1 GB of PARAMS', async (t) => {
  const held: ServerResponse[] = []
  const { port } = await startServer(t, listener(held), { timeouts: { linger: 300 } })
  const served = await bystander(t, port)
  const web = await connectTo(t, port)
  const other = web.ask({ id: 2, params: { REQUEST_URI: '/held' } })
  await until('the other request', () => held.length === 1)
  web.socket.write(begin(1))
  const before = process.memoryUsage().rss
  const flood = params(1, encodeNameValues([['NAME', 'v'.repeat(65_000)]]))
  let sent = 0
  const send = async () => {
    while (sent < 1_000_000_000 && !web.socket.destroyed) {
      sent += flood.length
      if (!web.socket.write(flood))
        await Promise.race([once(web.socket, 'drain').catch(() => {}), web.closed])
      if (sent > 20_000_000 && held[0] !== undefined && !held[0].writableEnded) held[0].end('fine')
    }
  }
  const sending = send()
  await within('END_REQUEST', web.answer(1).done)
  t.equal(parse(web.answer(1)).status, 431)
  await within('the other answer', other.done)
  t.match(other.stdout.toString(), /fine$/, 'the other request of the connection ends well')
  await within('the end of the connection', web.closed)
  await sending
  t.ok(sent < 1_000_000_000, `cut off after ${sent} bytes`)
  t.ok(process.memoryUsage().rss - before < 200_000_000, 'without being kept')
  await served()
})

t.test('a body that stops coming', async (t) => {
  const body = scaled(200)
  const { port } = await startServer(t, (req, res) => req.on('error', () => {}).pipe(res), {
    timeouts: { body },
  })
  const web = await connectTo(t, port)
  const stuck = web.ask({ params: { ...POST, CONTENT_LENGTH: '10' }, body: undefined })
  await within('END_REQUEST', stuck.done)
  t.match(parse(stuck), { status: 408, end: { appStatus: 0, protocolStatus: 0 } })
  t.equal((await web.get({ id: 2, params: POST, body: 'x' })).body, 'x', 'others go on')

  const slow = web.ask({ id: 3, params: { ...POST, CONTENT_LENGTH: '10' }, body: undefined })
  for (let n = 0; n < 10; n++) {
    await delay(body / 4)
    web.stdin(String(n), 3)
  }
  await within('END_REQUEST', slow.done)
  t.equal(parse(slow).body, '0123456789', 'only standstill counts')
})

t.test('a listener that takes its time is not the web server', async (t) => {
  const timeouts = { params: 50, body: 50, write: 50, linger: 50 }
  const { port } = await startServer(t, (_req, res) => setTimeout(() => res.end('slow'), 400), {
    timeouts,
  })
  const web = await connectTo(t, port)
  t.equal((await web.get({ params: POST, body: 'x' })).body, 'slow')
})

t.test('maxBodySize, announced and not', async (t) => {
  const { port } = await startServer(t, (req, res) => req.on('error', () => {}).pipe(res), {
    maxBodySize: 1000,
  })
  const web = await connectTo(t, port)
  t.equal((await web.get({ params: POST, body: 'x'.repeat(1000) })).status, 200)
  const announced = web.ask({ params: { ...POST, CONTENT_LENGTH: '1001' }, body: undefined })
  await within('END_REQUEST', announced.done)
  t.equal(parse(announced).status, 413, 'before any of it came')
  const other = await connectTo(t, port)
  const gone = other.ask({ id: 2, params: { ...POST }, body: undefined })
  other.stdin('x'.repeat(2000), 2)
  await within('END_REQUEST', gone.done)
  t.equal(parse(gone).status, 413)
})

t.test('CONTENT_LENGTH that is no number, and no REQUEST_METHOD', async (t) => {
  const { port } = await startServer(t, listener(), { timeouts: { linger: 100 } })
  for (const given of [{ CONTENT_LENGTH: 'many' }, { REQUEST_METHOD: '' }]) {
    const web = await connectTo(t, port)
    t.equal((await web.get({ params: given })).status, 400)
  }
})

t.test('idle connections are closed only where timeouts.idle says so', async (t) => {
  const limited = await startServer(t, listener(), { timeouts: { idle: 150 } })
  const web = await connectTo(t, limited.port)
  t.equal((await web.get()).body, 'ok')
  await within('the end of the connection', web.ended)
  const unlimited = await startServer(t, listener(), { timeouts: { params: 50, linger: 50 } })
  const other = await connectTo(t, unlimited.port)
  await delay(300)
  t.equal((await other.get()).body, 'ok')
})

t.test('a web server that leaves a finished connection open', async (t) => {
  const { port } = await startServer(t, listener(), { timeouts: { linger: 150 } })
  const web = await connectTo(t, port)
  web.socket.allowHalfOpen = true
  t.equal((await web.get({ keep: false })).body, 'ok')
  await within('the end', web.ended)
  const write = async (other: WebServer) => {
    while (!other.socket.destroyed) {
      other.socket.write(begin(9))
      await delay(10)
    }
  }
  await within('the connection to be torn down', write(web))
})

t.test('FCGI_WEB_SERVER_ADDRS: who is not in the list is sent away (§3.2)', async (t) => {
  const open = async (webServerAddresses: string[]) => {
    const { port } = await startServer(t, listener(), { webServerAddresses })
    return connectTo(t, port)
  }
  t.equal((await (await open(['10.0.0.1', '127.0.0.1'])).get()).body, 'ok')
  t.equal((await (await open(['::ffff:127.0.0.1'])).get()).body, 'ok')
  const refused = await open(['10.0.0.1'])
  await within('the end of the connection', refused.closed)
  process.env.FCGI_WEB_SERVER_ADDRS = '10.0.0.1, 10.0.0.2'
  t.teardown(() => delete process.env.FCGI_WEB_SERVER_ADDRS)
  const { port } = await startServer(t, listener())
  await within('the end of the connection', (await connectTo(t, port)).closed)
  process.env.FCGI_WEB_SERVER_ADDRS = '10.0.0.1,127.0.0.1'
  const allowed = await startServer(t, listener())
  t.equal((await (await connectTo(t, allowed.port)).get()).body, 'ok')
})
