/** No connection: which error it is, and that its message says where and what to do. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConnectError, ConnectTimeoutError, OverloadedError, Pool } from '@fastcgi/client'
import t, { type Test } from 'tap'
import { peerAndPool, poolOf, send, sent } from '../helpers/outcome.ts'
import { startPeer, wellBehaved } from '../helpers/scripted-peer.ts'
import { until, within } from '../helpers/wait.ts'

const noUnix = process.platform === 'win32' && 'no unix sockets here'

function directory(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function failsToConnect(t: Test, address: string, message: RegExp): Promise<void> {
  const pool = poolOf(t, address)
  const { error, attempts } = await sent(t, pool)
  t.ok(error instanceof ConnectError, String(error))
  t.match(error, { code: 'FCGI_CONNECT', message, cause: Error })
  t.match(error?.message, pool.address.name)
  t.equal(attempts.length, 0, 'no attempt: nothing was sent')
  t.match(pool.stats, { connections: 0, failed: 1 })
}

t.test('no such socket', { skip: noUnix }, (t) =>
  failsToConnect(t, `unix:${join(directory(t), 'none')}`, /no such socket.*is the path right/),
)

t.test('a socket where nobody listens', { skip: noUnix }, async (t) => {
  const path = join(directory(t), 's')
  const server = createServer().listen(path)
  await once(server, 'listening')
  renameSync(path, `${path}2`)
  server.close()
  await failsToConnect(t, `unix:${path}2`, /refused.*is the application running/)
})

const notAsRoot = noUnix || (process.getuid?.() === 0 && 'root may connect everywhere')
t.test('a socket without permission', { skip: notAsRoot }, async (t) => {
  const peer = await startPeer(wellBehaved(), { listen: 'unix' })
  t.teardown(() => peer.close())
  chmodSync(peer.address.slice('unix:'.length), 0)
  await failsToConnect(t, peer.address, /permission denied.*listen\.owner/)
})

t.test('a port where nobody listens', async (t) => {
  const peer = await startPeer(wellBehaved(), { listen: 'tcp' })
  await peer.close()
  await failsToConnect(t, peer.address, /refused.*is the application running/)
  await failsToConnect(t, peer.address.replace('127.0.0.1', 'localhost'), /refused/)
})

t.test('a host nobody knows', (t) =>
  failsToConnect(t, 'application.invalid:9000', /host name (is unknown|cannot be looked up)/),
)

t.test('a host with several addresses, of which one answers', async (t) => {
  const { peer } = await peerAndPool(t, wellBehaved(), { listen: 'tcp' })
  const pool = poolOf(t, peer.address.replace('127.0.0.1', 'localhost'))
  for (let n = 0; n < 3; n++) t.equal((await sent(t, pool)).body.toString(), 'ok')
})

t.test('an address that cannot be one is refused at once', (t) => {
  t.throws(() => new Pool('nonsense'), { code: 'FCGI_OPTION', message: /"nonsense"/ })
  t.throws(() => new Pool(`unix:/${'a'.repeat(200)}`), { code: 'FCGI_OPTION', message: /bytes/ })
  t.end()
})

/** Another process that listens with a backlog of 1 and accepts nobody. */
async function deafListener(
  t: Test,
  listen: string,
): Promise<{ child: ChildProcess; port: number }> {
  const program = `
    const server = require('node:net').createServer().listen({ ${listen}, backlog: 1 }, () => {
      console.log(server.address().port ?? 0)
      setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0), 50)
    })`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(async () => {
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  })
  const [line] = await within('the listener', once(child.stdout, 'data'))
  // From the line to the standstill; connections before it would be accepted.
  await new Promise((resolve) => setTimeout(resolve, 150))
  return { child, port: Number(line) }
}

const linuxOnly = process.platform !== 'linux' && 'other systems treat a full backlog otherwise'

t.test('a full backlog of a unix socket', { skip: linuxOnly }, async (t) => {
  const path = join(directory(t), 's')
  await deafListener(t, `path: ${JSON.stringify(path)}`)
  const fillers = await fill(t, () => connect(path))
  const pool = poolOf(t, path)
  const begun = performance.now()
  const outcome = send(t, pool)
  const { error } = await outcome.done
  t.ok(error instanceof OverloadedError, String(error))
  t.match(error, { code: 'FCGI_OVERLOADED', message: /backlog.*listen\.backlog/ })
  t.match(error?.message, path)
  t.ok(performance.now() - begun > 100, 'not before it was tried some more times')
  t.match(pool.stats, { connections: 0, queued: 0, failed: 1, retries: 0 })

  t.test('the request can be given up between the tries', async (t) => {
    const resting = send(t, pool)
    await until('it to rest', () => pool.stats.queued === 1)
    resting.control.abort()
    t.match((await resting.done).error, { code: 'FCGI_ABORTED' })
    t.equal(pool.stats.queued, 0)
  })
  t.test('the pool can be destroyed between the tries', async (t) => {
    const resting = send(t, pool)
    await until('it to rest', () => pool.stats.queued === 1)
    await pool.destroy()
    t.match((await resting.done).error, { code: 'FCGI_CLOSED' })
  })
  for (const socket of fillers) socket.destroy()
})

/** Connects until no more connection is made within a short time. */
async function fill(t: Test, make: () => ReturnType<typeof connect>) {
  const sockets: Array<ReturnType<typeof connect>> = []
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  for (let n = 0; n < 20; n++) {
    const socket = make()
    sockets.push(socket)
    const connected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      setTimeout(() => resolve(false), 100).unref()
    })
    if (!connected) break
  }
  return sockets
}

t.test('a full backlog of a TCP port: connect timeout', { skip: linuxOnly }, async (t) => {
  const { port } = await deafListener(t, "port: 0, host: '127.0.0.1'")
  await fill(t, () => connect(port, '127.0.0.1'))
  const pool = poolOf(t, `127.0.0.1:${port}`, { timeouts: { connect: 100 }, retries: 0 })
  const { error } = await sent(t, pool)
  t.ok(error instanceof ConnectTimeoutError, String(error))
  t.match(error, { code: 'FCGI_CONNECT_TIMEOUT', message: /100 ms \(option timeouts\.connect\)/ })
  t.match(error?.message, pool.address.name)
  t.equal(pool.stats.connections, 0)
})
