/** Streams in both directions: heads and chunks leave at once, early answers end uploads, slow readers slow the writer. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createGateway } from '@fastcgi/gateway'
import t from 'tap'
import { eachAdapter } from '../helpers/adapters.ts'
import { behind, whole } from '../helpers/behind.ts'
import { rawConnect, rawGet, rawRequest } from '../helpers/raw-http.ts'
import { eachRequest, endRecord, stdoutRecords, wellBehaved } from '../helpers/scripted-peer.ts'
import { turns, until, within } from '../helpers/wait.ts'

eachAdapter(t, 'server-sent events: the head, then each event as it comes', async (t, adapter) => {
  const seen: Array<() => void> = []
  const step = () => new Promise<void>((resolve) => void seen.push(resolve))
  const script = eachRequest(async (_request, connection) => {
    connection.write(stdoutRecords('Content-Type: text/event-stream\r\n\r\n'))
    await step()
    connection.write(stdoutRecords('data: 1\n\n'))
    await step()
    connection.write(stdoutRecords('data: 2\n\n'), endRecord())
  })
  const { app } = await behind(t, adapter, script)
  const socket = await rawConnect(app.port)
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk
  })
  socket.write('GET /x.php HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
  await until('the head, before there is a body', () => text.includes('\r\n\r\n'))
  t.notMatch(text, /data/)
  t.match(text, /content-type: text\/event-stream/i)
  seen[0]?.()
  await until('the first event, before there is a second', () => text.includes('data: 1'))
  t.notMatch(text, /data: 2/)
  seen[1]?.()
  await within('the end', once(socket, 'close'))
  t.match(text, /data: 2[\s\S]*\r\n0\r\n\r\n$/)
})

eachAdapter(t, 'an answer before the upload has ended', async (t, adapter) => {
  const script = eachRequest((_request, connection) => {
    connection.write(whole('Status: 413 Too Large\r\n\r\n', 'no more'))
  })
  const { app, peer } = await behind(t, adapter, script)
  const socket = await rawConnect(app.port)
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk
  })
  socket.on('error', () => {})
  const closed = once(socket, 'close')
  socket.write(
    `POST /x.php HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(5000)}`,
  )
  await until('the answer', () => text.includes('no more'))
  t.match(text, /^HTTP\/1\.1 413 Too Large\r\n/)
  t.match(text, /connection: close\r\n/i)
  await within('the end of the connection', closed)
  await until('the connection to the application closing', () => peer.open === 0)
  t.strictSame(app.log, [])
})

eachAdapter(t, 'a slow reader slows the application down', async (t, adapter) => {
  let written = 0
  const script = eachRequest(async (_request, connection) => {
    connection.write(stdoutRecords('X-A: 1\r\n\r\n'))
    const piece = stdoutRecords(Buffer.alloc(100_000))
    for (; written < 400; written++) {
      if (connection.isClosed) return
      if (!connection.write(piece)) await once(connection.socket, 'drain')
    }
    connection.end()
  })
  const { app } = await behind(t, adapter, script)
  const socket = await rawConnect(app.port)
  let length = 0
  socket.pause()
  socket.write('GET /x.php HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
  let before = -1
  await until('it getting stuck', () => {
    const stuck = written > 0 && written === before
    before = written
    return stuck
  })
  await turns(100)
  t.ok(written < 300, `${written} pieces of 400`)
  socket.on('data', (chunk) => {
    length += chunk.length
  })
  socket.resume()
  await within('the end', once(socket, 'close'))
  t.equal(written, 400)
  t.ok(length > 40_000_000)
})

for (const [name, options] of [
  ['a short upload', {}],
  ['any upload with spoolBodies', { spoolBodies: true, spoolMemory: 5 }],
] as const)
  eachAdapter(t, `${name} is sent only when it is whole`, async (t, adapter) => {
    const script = wellBehaved((request) => `${request.stdinLength}`)
    const { app, peer } = await behind(t, adapter, script, options)
    const head =
      'POST /x.php HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 20\r\n\r\n'
    const broken = await rawConnect(app.port)
    broken.write(`${head}0123456789`)
    await turns(20)
    broken.destroy()
    await until('a line in the log', () => app.log.length > 0)
    t.equal(peer.connections.length, 0, 'the application knows nothing of the one that broke off')
    const whole = await rawRequest(app.port, `${head}01234567890123456789`)
    t.equal(whole.status, 200)
    t.equal(peer.requests[0]?.stdinLength, 20)
  })

eachAdapter(t, 'an upload goes through as it comes', async (t, adapter) => {
  const { app, peer } = await behind(
    t,
    adapter,
    wellBehaved((request) => `${request.stdinLength}`),
    { spoolMemory: 0 },
  )
  const socket = await rawConnect(app.port)
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk
  })
  socket.write('POST /x.php HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 20\r\n\r\n')
  socket.write('0123456789')
  await until(
    'the first half, before there is a second',
    () => peer.requests[0]?.stdinLength === 10,
  )
  t.equal(peer.requests[0]?.params.CONTENT_LENGTH, '20')
  t.notOk(peer.requests[0]?.stdinEnded)
  socket.write('0123456789')
  await within('the end', once(socket, 'close'))
  t.match(text, /\r\n\r\n20$/)
})

eachAdapter(t, 'chunked uploads reach the application with their length', async (t, adapter) => {
  const { app, peer } = await behind(
    t,
    adapter,
    wellBehaved((request) => `${request.stdinLength}`),
  )
  const bytes = Buffer.alloc(300_000, 'x')
  const response = await fetch(`${app.url}/x.php`, {
    method: 'POST',
    body: new Blob([bytes]).stream(),
    duplex: 'half',
  } as RequestInit)
  t.equal(await response.text(), '300000')
  t.equal(peer.requests[0]?.params.CONTENT_LENGTH, '300000')
})

t.test('the bare handler: next for what is not its own, else 404', async (t) => {
  const gateway = createGateway({ upstream: '127.0.0.1:9', root: '/', exclude: ['/mine'] })
  let passed = 0
  const server = createServer((req, res) => {
    if (req.headers['x-next'] === undefined) gateway.handler(req, res)
    else
      gateway.handler(req, res, (error) => {
        passed++
        res.end(`next ${error}`)
      })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const without = await rawGet(port, '/mine/x')
  t.strictSame([without.status, without.body, passed], [404, 'Not Found\n', 0])
  const withNext = await rawGet(port, '/mine/x', ['X-Next: 1'])
  t.strictSame([withNext.status, withNext.body, passed], [200, 'next undefined', 1])
  const failed = await rawGet(port, '/%00', ['X-Next: 1'])
  t.strictSame([failed.status, passed], [400, 1], 'failures are answered here')
  await gateway.close()
})
