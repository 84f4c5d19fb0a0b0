/** Responses without the body that the application sends: it is released soon after the client has its response. */
import { writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type AdapterName, eachAdapter } from '../helpers/adapters.ts'
import { type Behind, behind, whole } from '../helpers/behind.ts'
import { KEPT } from '../helpers/kept.ts'
import { rawConnect } from '../helpers/raw-http.ts'
import { eachRequest, type Script, stdoutRecords } from '../helpers/scripted-peer.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { delay, until } from '../helpers/wait.ts'

nothingEscapes()

/** What the application does after the head. It never ends by itself. */
type Rest = 'sends a little again and again' | 'sends nothing more'

/** The cases whose script is running. */
const running = new Set<string>()

/** Sends the head that the query names; /b.php is answered at once. */
const application = (rest: Rest): Script =>
  eachRequest(async ({ params }, connection) => {
    if (params.SCRIPT_NAME?.endsWith('/b.php')) {
      connection.write(whole('Content-Type: text/plain\r\n\r\n', 'content of b'))
      return
    }
    const { HTTP_X_CASE: name = '' } = params
    running.add(name)
    connection.closed.then(() => running.delete(name))
    connection.write(stdoutRecords(`${decodeURIComponent(params.QUERY_STRING ?? '')}\r\n\r\n`))
    while (!connection.isClosed && rest === 'sends a little again and again') {
      connection.write(stdoutRecords('tick'))
      await delay(20)
    }
  })

interface Asked {
  method?: string
  head: string
  /** What the whole response matches. */
  wanted: RegExp
}

const CASES: Record<string, Asked> = {
  HEAD: { method: 'HEAD', head: 'Content-Type: text/event-stream', wanted: /^HTTP\/1.1 200 / },
  '204': { head: 'Status: 204', wanted: /^HTTP\/1.1 204 / },
  '304': { head: 'Status: 304', wanted: /^HTTP\/1.1 304 / },
  'X-Sendfile': { head: 'X-Sendfile: FILES/a.txt', wanted: /^HTTP\/1.1 200 [\s\S]*content of a/ },
  'X-Accel-Redirect to a file': {
    head: 'X-Accel-Redirect: /files/a.txt',
    wanted: /^HTTP\/1.1 200 [\s\S]*content of a/,
  },
  'X-Accel-Redirect to a script': {
    head: 'X-Accel-Redirect: /scripts/b.php',
    wanted: /^HTTP\/1.1 200 [\s\S]*content of b/,
  },
  'a local redirect': { head: 'Location: /b.php', wanted: /^HTTP\/1.1 200 [\s\S]*content of b/ },
}

async function start(t: Test, adapter: AdapterName, rest: Rest): Promise<[Behind, string]> {
  const files = t.testdir()
  writeFileSync(join(files, 'a.txt'), 'content of a')
  const accel = { '/files/': files, '/scripts/': {} }
  const options = { accel, sendfile: { roots: [files] } }
  return [await behind(t, adapter, application(rest), options), files]
}

/** Asks for the case; resolves when the client has the whole response. */
async function ask(port: number, name: string, files: string, leaves: boolean): Promise<Socket> {
  const { method = 'GET', head, wanted } = CASES[name] as Asked
  const socket = await rawConnect(port)
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk
  })
  const query = encodeURIComponent(head.replace('FILES', files))
  socket.write(`${method} /x.php?${query} HTTP/1.1\r\nHost: h\r\nX-Case: ${name}\r\n\r\n`)
  await until(`the response to ${name}`, () => wanted.test(text))
  if (leaves) socket.destroy()
  return socket
}

for (const rest of ['sends a little again and again', 'sends nothing more'] as const)
  eachAdapter(t, `the application ${rest}`, async (t, adapter) => {
    const [{ app }, files] = await start(t, adapter, rest)
    for (const leaves of [true, false]) {
      const names = Object.keys(CASES)
      const sockets = await Promise.all(names.map((name) => ask(app.port, name, files, leaves)))
      await until('the application being released', () => running.size === 0, 5000).catch(() => {})
      t.strictSame([...running], [], `the client ${leaves ? 'has disconnected' : 'is connected'}`)
      for (const socket of sockets) socket.destroy()
    }
    t.strictSame(app.log, [])
  })

eachAdapter(t, 'a response that ends soon leaves the connection open', async (t, adapter) => {
  const script = eachRequest(async (_request, connection) => {
    connection.write(stdoutRecords('Content-Type: text/plain\r\n\r\n'))
    await delay(100)
    connection.write(stdoutRecords(Buffer.alloc(10_000)))
    connection.end()
  })
  const { peer, send } = await behind(t, adapter, script, KEPT)
  for (let n = 0; n < 3; n++) t.equal((await send('HEAD /x.php')).status, 200)
  await delay(200)
  await send('HEAD /x.php')
  t.ok(peer.connections.length < 4, `${peer.connections.length} connections`)
})
