/** The client goes away, at any moment: the application's connection is closed, and nobody calls it an error. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { type AdapterName, eachAdapter, type RunningAdapter } from '../helpers/adapters.ts'
import { behind } from '../helpers/behind.ts'
import { rawConnect } from '../helpers/raw-http.ts'
import { eachRequest, type Peer, type Script, stdoutRecords } from '../helpers/scripted-peer.ts'
import { turns, until } from '../helpers/wait.ts'

const GET = 'GET /x.php HTTP/1.1\r\nHost: h\r\n\r\n'
const silent: Script = () => {}

async function allGone(t: Test, app: RunningAdapter, peer: Peer): Promise<void> {
  await until('the connections to the application closing', () => peer.open === 0)
  await turns(20)
  const errors = app.log.filter(
    (line) => !/refused: the (client went away|request body)/.test(line),
  )
  t.strictSame(errors, [], 'nothing is logged as an error')
}

async function leaving(app: RunningAdapter, text: string): Promise<Socket> {
  const socket = await rawConnect(app.port)
  socket.on('error', () => {})
  socket.write(text)
  return socket
}

eachAdapter(t, 'while the response head is waited for', async (t, adapter) => {
  const { app, peer } = await behind(t, adapter, silent)
  const socket = await leaving(app, GET)
  await until('the request', () => peer.requests.length === 1)
  socket.destroy()
  await allGone(t, app, peer)
})

eachAdapter(t, 'by a reset', async (t, adapter) => {
  const { app, peer } = await behind(t, adapter, silent)
  const socket = await leaving(app, GET)
  await until('the request', () => peer.requests.length === 1)
  socket.resetAndDestroy()
  await allGone(t, app, peer)
})

eachAdapter(t, 'in the body', async (t, adapter) => {
  const script = eachRequest(async (_request, connection) => {
    connection.write(stdoutRecords('X-A: 1\r\n\r\n'))
    while (!connection.isClosed) await connection.writeSlowly([stdoutRecords(Buffer.alloc(50_000))])
  })
  const { app, peer } = await behind(t, adapter, script)
  const socket = await leaving(app, GET)
  await once(socket, 'data')
  socket.destroy()
  await allGone(t, app, peer)
})

eachAdapter(t, 'in a body it does not read', async (t, adapter) => {
  let stuck = false
  const script = eachRequest((_request, connection) => {
    connection.write(stdoutRecords('X-A: 1\r\n\r\n'))
    stuck = !connection.write(stdoutRecords(Buffer.alloc(20_000_000)))
  })
  const { app, peer } = await behind(t, adapter, script)
  const socket = await leaving(app, GET)
  socket.pause()
  await until('the application waiting', () => stuck)
  await turns(50)
  socket.destroy()
  await allGone(t, app, peer)
})

eachAdapter(t, 'while it uploads', async (t, adapter) => {
  const { app, peer } = await behind(t, adapter, silent, { spoolMemory: 0 })
  const head = 'POST /x.php HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n'
  for (const way of ['destroy', 'end'] as const) {
    const before = peer.requests.length
    const socket = await leaving(app, `${head}some of it`)
    await until('a part of STDIN', () => peer.requests[before]?.stdinLength === 10)
    socket[way]()
    await until('the connection closing', () => peer.open === 0)
    t.notOk(peer.requests[before]?.stdinEnded, 'the part is never ended')
  }
  await allGone(t, app, peer)
})

eachAdapter(t, 'while an upload is spooled', async (t, adapter) => {
  const { app, peer } = await behind(t, adapter, silent)
  const head = 'POST /x.php HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n'
  const socket = await leaving(app, `${head}5\r\nhello\r\n`)
  await turns(20)
  socket.destroy()
  await until('a line in the log', () => app.log.length > 0)
  t.equal(peer.connections.length, 0)
  await allGone(t, app, peer)
})

eachAdapter(t, 'in the queue', async (t, adapter) => {
  const { app, peer } = await behind(t, adapter, silent, { maxConnections: 1 })
  const first = await leaving(app, GET)
  await until('the first request', () => peer.requests.length === 1)
  const second = await leaving(app, GET)
  await turns(20)
  second.destroy()
  await turns(20)
  first.destroy()
  await allGone(t, app, peer)
  t.equal(peer.requests.length, 1, 'the one in the queue is never sent')
})

eachAdapter(t, 'before anything is connected', async (t, adapter) => {
  const { app, peer } = await behind(t, adapter, silent)
  const socket = await leaving(app, GET)
  socket.destroy()
  await allGone(t, app, peer)
})

async function pipelined(
  t: Test,
  adapter: AdapterName,
  size: number,
): Promise<[RunningAdapter, Peer]> {
  const script = eachRequest((_request, connection) => {
    const records = [stdoutRecords('X-A: 1\r\n\r\n'), stdoutRecords(Buffer.alloc(size))]
    connection.write(...records)
  })
  const { app, peer } = await behind(t, adapter, script)
  const next = ['2', '3'].map((n) => `GET /x.php?${n} HTTP/1.1\r\nHost: h\r\n\r\n`)
  const post = 'POST /x.php?4 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx'
  const text = `GET /x.php?1 HTTP/1.1\r\nHost: h\r\n\r\n${next.join('')}${post}`
  const socket = await leaving(app, text)
  await until('the first request', () => peer.requests.length === 1)
  await turns(50)
  socket.destroy()
  await turns(50)
  t.equal(peer.requests.length, 1, 'the requests behind it are never run')
  return [app, peer]
}

eachAdapter(t, 'with further requests in the pipeline', async (t, adapter) => {
  const [app, peer] = await pipelined(t, adapter, 10)
  await allGone(t, app, peer)
})

eachAdapter(t, 'with large responses in the pipeline', async (t, adapter) => {
  const [app, peer] = await pipelined(t, adapter, 5_000_000)
  await allGone(t, app, peer)
})
