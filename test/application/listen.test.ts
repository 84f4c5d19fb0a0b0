/** Where an application listens, and how it ends: unix sockets, TCP, inherited sockets, arguments, CGI, signals. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { createServer as createNetServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { createServer, fastcgiServerFactory } from '@fastcgi/application'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import {
  accepting,
  findProgram,
  freePort,
  type Program,
  startProgram,
} from '../helpers/programs.ts'
import { needs } from '../helpers/require-program.ts'
import { until, within } from '../helpers/wait.ts'
import { connectTo, parse, startServer, temporary } from '../helpers/web-server.ts'

const PROGRAM = fileURLToPath(new URL('../helpers/listening-program.js', import.meta.url))
const LINUX = { skip: process.platform === 'linux' ? false : 'Linux only' }

t.test('a unix socket: its mode, a stale one, a live one, a file', async (t) => {
  const path = `${temporary(t)}/s`
  const mask = process.umask()
  const first = createServer((_req, res) => res.end('first'))
  first.listen({ path, mode: 0o604 })
  await once(first, 'listening')
  t.equal(statSync(path).mode & 0o777, 0o604)
  t.equal(process.umask(), mask)
  t.equal(first.address(), path)
  t.equal((await (await connectTo(t, path)).get()).body, 'first')

  const second = createServer()
  second.listen(path)
  const [error] = await once(second, 'error')
  t.match(error, { code: 'EADDRINUSE', message: `another program listens on ${path}` })
  t.equal((await (await connectTo(t, path)).get()).body, 'first', 'it is left alone')
  first.closeAllConnections()
  first.close()
  await once(first, 'close')

  const left = startProgram(t, process.execPath, [PROGRAM, `-unix=${path}`])
  await accepting(left, path)
  await left.stop('SIGKILL')
  t.ok(existsSync(path), 'a stale socket')
  const third = createServer((_req, res) => res.end('third'))
  t.teardown(() => third.close())
  third.listen(path)
  await once(third, 'listening')
  t.equal((await (await connectTo(t, path)).get({ keep: false })).body, 'third')

  const file = `${path}.txt`
  writeFileSync(file, 'precious')
  const fourth = createServer()
  fourth.listen({ path: file })
  t.match((await once(fourth, 'error'))[0], { code: 'EADDRINUSE', message: /it is not a socket/ })
  t.ok(existsSync(file))
})

t.test('TCP: host, port, backlog; a port in use', async (t) => {
  const server = createServer((_req, res) => res.end('ok'))
  t.teardown(() => server.close())
  const listening = new Promise<void>((resolve) => {
    server.listen({ host: '127.0.0.1', port: 0, backlog: 5 }, resolve)
  })
  await within('listening', listening)
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  t.equal((await (await connectTo(t, address.port)).get({ keep: false })).body, 'ok')
  const other = createServer().listen(address.port, '127.0.0.1')
  t.match((await once(other, 'error'))[0], { code: 'EADDRINUSE' })
})

t.test('Fastify listens by itself, on TCP and on a unix socket', async (t) => {
  for (const where of [{ host: '127.0.0.1', port: 0 }, { path: `${temporary(t)}/s` }]) {
    const app = Fastify({ serverFactory: fastcgiServerFactory })
    app.get('/', () => 'fastify')
    await app.listen(where)
    const address = app.server.address()
    if (address === null) throw new Error('no address')
    const web = await connectTo(t, typeof address === 'string' ? address : address.port)
    t.equal((await web.get()).body, 'fastify')
    await within('close', app.close())
    await within('the end of the connection', web.ended)
  }
})

/** Starts the program with a listening socket on an fd, as spawners do. */
async function spawnWithSocket(
  t: Test,
  fd: number,
  env: NodeJS.ProcessEnv,
  where: { path: string } | { host: string; port: number },
): Promise<{ child: ChildProcess; exited: Promise<number | string | null> }> {
  const server = createNetServer()
  server.listen(where)
  await once(server, 'listening')
  const handle = (server as unknown as { _handle: { fd: number } })._handle
  const stdio = Array.from({ length: fd + 1 }, (_, at) =>
    at === fd ? handle.fd : at === 0 ? 'ignore' : 'inherit',
  )
  const child = spawn(process.execPath, [PROGRAM], {
    env: { ...process.env, NODE_OPTIONS: '', NODE_V8_COVERAGE: '', ...env },
    stdio: stdio as never,
  })
  // The socket stays open in the child; ours would take connections, too. libuv removes the path, which is not needed.
  server.close()
  t.teardown(() => child.kill('SIGKILL'))
  return { child, exited: once(child, 'exit').then(([code, signal]) => code ?? signal) }
}

t.test('listenFromEnvironment: fd 0 and LISTEN_FDS', LINUX, async (t) => {
  const env = { LISTEN_FDS: '1', LISTEN_PID: undefined }
  for (const [fd, given] of [
    [0, {}],
    [3, env],
  ] as const) {
    const port = await freePort()
    const { child, exited } = await spawnWithSocket(t, fd, given, { host: '127.0.0.1', port })
    const web = await connectTo(t, port)
    t.equal((await web.get()).body, 'listening-program', `fd ${fd}`)
    child.kill('SIGTERM')
    t.equal(await within('the exit', exited), 0)
  }
})

t.test('spawn-fcgi', needs('spawn-fcgi', findProgram('spawn-fcgi')), async (t) => {
  const path = `${temporary(t)}/s`
  const args = ['-n', '-s', path, '-M', '0600', '--', process.execPath, PROGRAM]
  const program = startProgram(t, 'spawn-fcgi', args)
  await accepting(program, path)
  t.equal((await (await connectTo(t, path)).get()).body, 'listening-program')
  await program.stop('SIGTERM')
  t.equal(await program.exited, 0)
})

t.test('listenFromArgv: -mode=tcp, -mode=unix, -mode=stdio', async (t) => {
  const port = await freePort()
  const tcp = startProgram(t, process.execPath, [PROGRAM, '-mode=tcp', `-port=${port}`])
  await accepting(tcp, port)
  t.equal((await (await connectTo(t, port)).get()).body, 'listening-program')
  const path = `${temporary(t)}/s`
  const unix = startProgram(t, process.execPath, [PROGRAM, '-mode=unix', `-unix=${path}`])
  await accepting(unix, path)
  t.equal((await (await connectTo(t, path)).get()).body, 'listening-program')
  await unix.stop()
  t.notOk(existsSync(path), 'the socket is gone with the program')
  const stdio = startProgram(t, process.execPath, [PROGRAM, '-mode=stdio'])
  t.equal(await within('the exit', stdio.exited), 1)
  t.match(stdio.output(), /OptionError: fd 0 is no listening socket.*-mode=tcp -port=9000/s)
})

t.test('CGI, where fd 0 is no listening socket (§2.2)', async (t) => {
  const cgi = (env: NodeJS.ProcessEnv, input: string) =>
    spawnSync(process.execPath, [PROGRAM], {
      env: {
        PATH: process.env.PATH,
        GATEWAY_INTERFACE: 'CGI/1.1',
        SERVER_PROTOCOL: 'HTTP/1.1',
        ...env,
      },
      input,
      encoding: 'utf8',
    })
  const get = cgi({ REQUEST_METHOD: 'GET', REQUEST_URI: '/' }, '')
  t.equal(get.stdout, 'Content-Length: 17\r\nStatus: 200 OK\r\n\r\nlistening-program')
  t.equal(get.status, 0)
  const body = 'x'.repeat(300_000)
  const length = String(body.length)
  const params = { REQUEST_METHOD: 'POST', REQUEST_URI: '/echo', CONTENT_LENGTH: length }
  const echo = cgi(params, body)
  t.match(echo.stdout, /Status: 200 OK\r\n\r\n/)
  t.equal(echo.stdout.split('\r\n\r\n')[1], body)
  const short = cgi(params, body.slice(1))
  t.ok(short.stdout.length < echo.stdout.length)
  t.not(
    short.status,
    0,
    'a part of a body: CGI has no other way to say that the answer is not whole',
  )
})

async function startListening(t: Test): Promise<{ program: Program; path: string }> {
  const path = `${temporary(t)}/s`
  const program = startProgram(t, process.execPath, [PROGRAM, `-unix=${path}`])
  await accepting(program, path)
  return { program, path }
}

for (const signal of ['SIGTERM', 'SIGUSR1'] as const)
  t.test(`${signal}: what runs is finished, nothing new is begun`, async (t) => {
    const { program, path } = await startListening(t)
    const [busy, idle] = [await connectTo(t, path), await connectTo(t, path)]
    t.equal((await idle.get()).body, 'listening-program')
    const held = busy.ask({ id: 1, params: { REQUEST_URI: '/hold' }, body: undefined })
    await busy.until('the beginning', () => held.stdout.length > 0)
    program.child.kill(signal)
    await within('the end of the idle connection', idle.ended)
    const late = busy.ask({ id: 2 })
    await within('the refusal', late.done)
    t.equal(late.end?.protocolStatus, 2, 'OVERLOADED')
    await t.rejects(connectTo(t, path), 'nobody listens any more')
    busy.stdin('go on', 1)
    busy.stdin('', 1, true)
    await within('the answer', held.done)
    t.equal(parse(held).body, 'held go on')
    await within('the end of the connection', busy.ended)
    t.equal(await within('the exit', program.exited), 0)
  })

t.test('close() waits for requests, and closes idle connections', async (t) => {
  let finish = (): void => {}
  const { server, port } = await startServer(t, (req, res) => {
    if (req.url === '/held') finish = () => res.end('late')
    else res.end('ok')
  })
  const [idle, busy] = [await connectTo(t, port), await connectTo(t, port)]
  await idle.get()
  const answer = busy.ask({ params: { REQUEST_URI: '/held' } })
  await busy.get({ id: 2 })
  let closed = false
  server.close(() => {
    closed = true
  })
  await within('the end of the idle connection', idle.ended)
  t.equal(closed, false)
  finish()
  await within('the answer', answer.done)
  await within('the end of the connection', busy.ended)
  await until('close', () => closed)
})
