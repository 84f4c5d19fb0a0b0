/** Answers that are given before the request body has come: the client reads all of them, and its connection goes on or ends. */
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { type AdapterName, eachAdapter, startAdapter } from '../helpers/adapters.ts'
import { rawConnect } from '../helpers/raw-http.ts'
import {
  eachRequest,
  endRecord,
  type Peer,
  response,
  type Script,
  startPeer,
  stdoutRecords,
} from '../helpers/scripted-peer.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { turns, within } from '../helpers/wait.ts'

nothingEscapes()

const UPLOAD = 3_000_000
const ANSWER = 300_000

interface Answer {
  readonly head: string
  readonly length: number
  readonly how: string
}

/** Sends a whole upload and reads afterwards, as many clients do. */
async function upload(port: number, path: string, reads: 'after' | 'while'): Promise<Answer> {
  const socket = await rawConnect(port)
  const chunks: Buffer[] = []
  let how = 'end'
  socket.on('error', (error: NodeJS.ErrnoException) => {
    how = error.code ?? String(error)
  })
  const closed = once(socket, 'close')
  const take = (chunk: Buffer): void => void chunks.push(chunk)
  if (reads === 'while') socket.on('data', take)
  socket.write(`POST ${path} HTTP/1.1\r\nHost: h\r\nContent-Length: ${UPLOAD}\r\n\r\n`)
  for (let left = UPLOAD; left > 0 && !socket.destroyed; left -= 65_536) {
    const piece = Buffer.alloc(Math.min(left, 65_536))
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), closed])
  }
  if (reads === 'after') socket.on('data', take)
  await within('the end of the connection', closed)
  const all = Buffer.concat(chunks)
  const split = all.indexOf('\r\n\r\n')
  return { head: all.toString('latin1', 0, split), length: all.length - split - 4, how }
}

async function started(t: Test, script: Script): Promise<Peer> {
  const peer = await startPeer(script)
  t.teardown(() => peer.close())
  return peer
}

/** Answers at once, and reads on. */
const answersAtOnce: Script = eachRequest((_request, connection) => {
  connection.write(response(Buffer.alloc(ANSWER, 120)), endRecord())
})

const WHAT: ReadonlyArray<[string, string, number, number]> = [
  ['an answer of the application', '/app.php', 200, ANSWER],
  ['deny', '/denied.php', 403, 1],
  ['an authorizer', '/guarded.php', 401, 1],
]

for (const [what, path, status, length] of WHAT)
  await eachAdapter(t, `${what} reaches a client that uploads 3 MB`, async (t, name) => {
    const peer = await started(t, answersAtOnce)
    const guard = await started(
      t,
      eachRequest((request, connection) => {
        const refuses = request.params.REQUEST_URI === '/guarded.php'
        const status = refuses ? '401 Unauthorized' : '200 OK'
        connection.write(
          stdoutRecords(`Status: ${status}\r\n\r\n${refuses ? 'no' : ''}`),
          endRecord(),
        )
      }),
    )
    const app = await startAdapter(t, name, {
      upstream: peer.address,
      root: '/srv',
      checkLocal: false,
      deny: ['/denied.php'],
      ...(path === '/guarded.php' && {
        guards: [{ upstream: guard.address, root: '/srv' }],
      }),
    })
    for (let n = 0; n < 10; n++)
      for (const reads of ['after', 'while'] as const) {
        const answer = await upload(app.port, path, reads)
        t.match(answer.head, new RegExp(`^HTTP/1.1 ${status} `))
        t.ok(answer.length >= length, `${answer.length} bytes`)
        t.equal(answer.how, 'end')
      }
  })

await eachAdapter(t, '413 reaches a client that uploads 3 MB', async (t, name) => {
  const peer = await started(t, answersAtOnce)
  const app = await startAdapter(t, name, {
    upstream: peer.address,
    root: '/srv',
    checkLocal: false,
    maxBodySize: 1000,
  })
  for (let n = 0; n < 10; n++)
    for (const reads of ['after', 'while'] as const) {
      const { head, how } = await upload(app.port, '/app.php', reads)
      t.match(head, /^HTTP\/1.1 413 /)
      t.match(head, /connection: close/i)
      t.equal(how, 'end')
    }
})

/** Two requests on one connection, the first of which is refused before its body has come. */
async function twoRequests(port: number, length: number): Promise<string> {
  const socket = await rawConnect(port)
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk
  })
  socket.on('error', () => {})
  const closed = once(socket, 'close')
  socket.write(`POST /denied.php HTTP/1.1\r\nHost: h\r\nContent-Length: ${length}\r\n\r\n`)
  // Behind the head, so that the body has not come when the request is refused.
  await turns(20)
  socket.write(Buffer.alloc(length))
  socket.write('GET /denied.php HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
  await within('the end of the connection', closed)
  return text
}

await eachAdapter(
  t,
  'the connection is kept where the body is short',
  async (t, name: AdapterName) => {
    const peer = await started(t, answersAtOnce)
    const app = await startAdapter(t, name, {
      upstream: peer.address,
      root: '/srv',
      checkLocal: false,
      deny: ['/denied.php'],
    })
    const kept = await twoRequests(app.port, 50_000)
    t.equal(kept.split('HTTP/1.1 403').length - 1, 2, 'both are answered')
    const closed = await twoRequests(app.port, 100_000)
    t.equal(
      closed.split('HTTP/1.1 403').length - 1,
      1,
      'the connection ends behind the first answer',
    )
    t.match(closed, /connection: close/i)
  },
)

await eachAdapter(t, 'a failed upload that had come already', async (t, name) => {
  // The connection to the application breaks while node:http holds back what has come of the body.
  const peer = await started(t, async (connection) => {
    const request = await connection.request()
    if (request.params.REQUEST_METHOD === 'GET') {
      connection.write(response('ok'), endRecord())
      connection.finish()
    } else {
      connection.stall()
      setTimeout(() => connection.destroy(), 50)
    }
  })
  const app = await startAdapter(t, name, {
    upstream: peer.address,
    root: '/srv',
    checkLocal: false,
  })
  for (const length of [70_000, 300_000, 1_000_000, 3_000_000, 6_000_000]) {
    const socket = await rawConnect(app.port)
    let text = ''
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += chunk
    })
    socket.on('error', () => {})
    const closed = once(socket, 'close')
    socket.write(`POST /a.php HTTP/1.1\r\nHost: h\r\nContent-Length: ${length}\r\n\r\n`)
    socket.write(Buffer.alloc(length))
    socket.write('GET /a.php HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
    await within('the end of the connection', closed)
    t.match(text, /^HTTP\/1.1 502 /)
    const kept = !/connection: close/i.test(text.split('\r\n\r\n', 1)[0] ?? '')
    t.equal(text.includes('HTTP/1.1 200 '), kept, `${length} bytes: kept, and answered: ${kept}`)
  }
  await within('close()', app.close())
})
