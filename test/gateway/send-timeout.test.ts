/** Clients that take nothing of a response: they are disconnected after timeouts.send, and the application is released. */
import { truncateSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type AdapterOptions, eachAdapter, type RunningAdapter } from '../helpers/adapters.ts'
import { behind, whole } from '../helpers/behind.ts'
import { openFiles } from '../helpers/open-files.ts'
import { rawConnect } from '../helpers/raw-http.ts'
import {
  eachRequest,
  type PeerConnection,
  type Script,
  stdoutRecords,
} from '../helpers/scripted-peer.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { delay, until } from '../helpers/wait.ts'

nothingEscapes()

const MEGABYTE = 1_048_576
/** More than the buffers of the system's sockets take by themselves. */
const SIZE = 24 * MEGABYTE
const HEAD = 'Content-Type: text/plain\r\n\r\n'
const LOGGED = /^response broken off: the client took nothing .* 300 ms \(option timeouts\.send\)$/
const options: Partial<AdapterOptions> = { timeouts: { send: 300 } }

/** Writes so many bytes as fast as they are taken. */
async function writeMuch(connection: PeerConnection, size: number): Promise<void> {
  connection.write(stdoutRecords(HEAD))
  const piece = stdoutRecords(Buffer.alloc(65_536))
  for (let sent = 0; sent < size && !connection.isClosed; sent += 65_536)
    if (!connection.write(piece)) {
      const drained = new Promise((resolve) => connection.socket.once('drain', resolve))
      await Promise.race([drained, connection.closed])
    }
}

/** An application that never ends its response. */
const endless: Script = eachRequest((_request, connection) =>
  writeMuch(connection, Number.POSITIVE_INFINITY),
)

/** A client that sends this and reads nothing of what comes back. */
async function deafClient(app: RunningAdapter, bytes: string): Promise<Socket> {
  const socket = await rawConnect(app.port)
  socket.on('error', () => {})
  socket.pause()
  socket.write(bytes)
  return socket
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`

/** The client is disconnected, which is logged once. */
async function disconnected(t: Test, app: RunningAdapter, client: Socket): Promise<void> {
  await until('a line in the log', () => app.log.length > 0)
  t.match(app.log, [LOGGED])
  t.equal(app.log.length, 1)
  client.resume()
  await until('the connection of the client closing', () => client.destroyed)
}

for (const [name, more] of Object.entries({
  streamed: {},
  'buffered, until memory and file are full': { buffering: { memory: 10_000, file: 1_000_000 } },
  'buffered in memory alone': { buffering: { memory: 100_000, file: 0 } },
}))
  eachAdapter(t, `a body without an end, ${name}`, async (t, adapter) => {
    const { app, peer } = await behind(t, adapter, endless, { ...options, ...more })
    const client = await deafClient(app, get('/x.php'))
    await until('the request', () => peer.requests.length === 1)
    await until('the application being released', () => peer.open === 0)
    await disconnected(t, app, client)
  })

eachAdapter(t, 'a body that has been buffered whole', async (t, adapter) => {
  let sent = false
  const script = eachRequest(async (_request, connection) => {
    await writeMuch(connection, SIZE)
    connection.end()
    sent = true
  })
  const buffering = { buffering: { memory: 10_000, file: 1_000_000_000 } }
  const { app } = await behind(t, adapter, script, { ...options, ...buffering })
  const client = await deafClient(app, get('/x.php'))
  await until('the whole response being buffered', () => sent)
  await disconnected(t, app, client)
  await until('the temporary file being closed', () => openFiles() === 0)
})

function largeFile(t: Test): string {
  const directory = t.testdir()
  const path = join(directory, 'large.bin')
  writeFileSync(path, '')
  truncateSync(path, SIZE)
  return directory
}

eachAdapter(t, 'a file named by X-Sendfile, and a static one', async (t, adapter) => {
  const root = largeFile(t)
  const script = eachRequest((_request, connection) => {
    connection.write(whole(`X-Sendfile: ${join(root, 'large.bin')}\r\n\r\n`))
  })
  for (const path of ['/x.php', '/large.bin']) {
    const files = { root, checkLocal: path !== '/x.php', static: true, sendfile: { roots: [root] } }
    const { app } = await behind(t, adapter, script, { ...options, ...files })
    const client = await deafClient(app, get(path))
    await disconnected(t, app, client)
    await until('the file being closed', () => openFiles(root) === 0)
  }
})

eachAdapter(t, 'complete bodies, one after the other', async (t, adapter) => {
  const script = eachRequest((_request, connection) => {
    connection.write(whole(HEAD, Buffer.alloc(50_000)))
  })
  const { app, peer } = await behind(t, adapter, script, options)
  const client = await deafClient(app, get('/x.php').repeat(900))
  await disconnected(t, app, client)
  await until('the application being released', () => peer.open === 0)
  t.ok(peer.requests.length < 900, `${peer.requests.length} scripts have run`)
})

eachAdapter(t, 'a client that takes a little now and then is served', async (t, adapter) => {
  const size = 2 * SIZE
  const script = eachRequest(async (_request, connection) => {
    await writeMuch(connection, size)
    connection.end()
  })
  const { app } = await behind(t, adapter, script, { timeouts: { send: 1000 } })
  const client = await deafClient(app, `${get('/x.php').slice(0, -2)}Connection: close\r\n\r\n`)
  let received = 0
  client.on('data', ({ length }) => {
    received += length
  })
  const started = performance.now()
  // Several times the timeout, in which bytes always wait. The system takes more only after about a megabyte.
  while (performance.now() - started < 3000 && received < SIZE) {
    const enough = received + MEGABYTE / 2
    client.resume()
    await until('some bytes', () => received >= enough)
    client.pause()
    await delay(50)
  }
  client.resume()
  await until('the end', () => client.destroyed)
  t.ok(received > size, 'the whole body')
  t.strictSame(app.log, [])
})

eachAdapter(
  t,
  'an application that is silent for longer is not a slow client',
  async (t, adapter) => {
    const script = eachRequest(async (_request, connection) => {
      connection.write(stdoutRecords(`${HEAD}one `))
      await delay(500)
      connection.write(stdoutRecords('two'))
      connection.end()
    })
    const { app, get } = await behind(t, adapter, script, { timeouts: { send: 50 } })
    t.match((await get()).text, /one [\s\S]*two/)
    t.strictSame(app.log, [])
  },
)

eachAdapter(t, '0 is no timeout', async (t, adapter) => {
  const { app, peer } = await behind(t, adapter, endless, { timeouts: { send: 0 } })
  const client = await deafClient(app, get('/x.php'))
  await until('the request', () => peer.requests.length === 1)
  await delay(600)
  t.equal(peer.open, 1)
  t.strictSame(app.log, [])
  client.destroy()
})
