/** Responses without a body (HEAD, 204, 304) and informational ones. */
import { once } from 'node:events'
import t from 'tap'
import { eachAdapter } from '../helpers/adapters.ts'
import { behind, whole } from '../helpers/behind.ts'
import { KEPT } from '../helpers/kept.ts'
import { rawConnect, rawRequest } from '../helpers/raw-http.ts'
import { eachRequest, endRecord, type Script, stdoutRecords } from '../helpers/scripted-peer.ts'
import { until, within } from '../helpers/wait.ts'

/** Answers with the head that the query names, and a body nobody has asked for. */
const answersAnyway: Script = eachRequest((request, connection) => {
  const status = request.params.QUERY_STRING
  const head = status === 'next' ? 'Status: 200 OK' : `Status: ${status}\r\nETag: "e"`
  connection.write(whole(`${head}\r\n\r\n`, status === 'next' ? 'next' : 'evil'))
})

eachAdapter(
  t,
  'a body to HEAD, 204 and 304 is not sent, and nothing is reused wrongly',
  async (t, adapter) => {
    for (const [method, status] of [
      ['HEAD', '200'],
      ['HEAD', '404'],
      ['GET', '204'],
      ['GET', '304'],
      ['HEAD', '304'],
    ]) {
      const { app, peer } = await behind(t, adapter, answersAnyway, KEPT)
      const socket = await rawConnect(app.port)
      let text = ''
      socket.setEncoding('latin1').on('data', (chunk) => {
        text += chunk
      })
      socket.write(`${method} /x.php?${status} HTTP/1.1\r\nHost: h\r\n\r\n`)
      await until('the first answer', () => text.endsWith('\r\n\r\n'))
      t.match(text, new RegExp(`^HTTP/1.1 ${status} `))
      t.match(text, /etag: "e"/i)
      socket.write('GET /x.php?next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
      await within('the second answer', once(socket, 'close'))
      t.notMatch(text, /evil/)
      t.match(text, /\r\n\r\nHTTP\/1\.1 200 OK[\s\S]*\r\n\r\nnext$/)
      t.equal(peer.requests[0]?.params.REQUEST_METHOD, method, 'told to the application')
      t.equal(peer.connections.length, 1, 'the connection to the application is used again')
    }
  },
)

eachAdapter(t, 'HEAD keeps the Content-Length, 204 has none', async (t, adapter) => {
  const script = eachRequest((request, connection) => {
    connection.write(
      whole(`Status: ${request.params.QUERY_STRING}\r\nContent-Length: 4\r\n\r\n`, 'evil'),
    )
  })
  const { send, get } = await behind(t, adapter, script)
  const response = await send('HEAD /x.php?200')
  t.strictSame([response.headers['content-length'], response.body], ['4', ''])
  const without = await get('/x.php?204')
  t.strictSame(
    [without.status, without.headers['content-length']],
    [204, undefined],
    'RFC 9110 §8.6',
  )
})

eachAdapter(t, 'HEAD without anything to know the length by', async (t, adapter) => {
  const { send } = await behind(t, adapter, answersAnyway)
  const { status, headers, body } = await send('HEAD /x.php?200')
  t.strictSame([status, headers['content-length'], body], [200, undefined, ''])
})

eachAdapter(t, 'a large body to HEAD is not read to its end', async (t, adapter) => {
  let written = 0
  const script = eachRequest(async (_request, connection) => {
    connection.write(stdoutRecords('X-Large: 1\r\n\r\n'))
    const piece = stdoutRecords(Buffer.alloc(60_000))
    const write = () => new Promise((resolve) => connection.socket.write(piece, resolve))
    while (written < 200_000_000 && !(await write())) written += 60_000
  })
  const { app, peer, send } = await behind(t, adapter, script)
  const response = await send('HEAD /x.php')
  t.strictSame([response.status, response.headers['x-large'], response.body], [200, '1', ''])
  await until('the connection closing', () => peer.open === 0)
  t.ok(written < 10_000_000, `${written} bytes`)
  t.strictSame(app.log, [])
})

const interim = (head: string): Script =>
  eachRequest((_request, connection) => {
    connection.write(stdoutRecords(head), whole('Content-Type: text/plain\r\n\r\n', 'final'))
  })

eachAdapter(
  t,
  '103 goes on with its links, other informational heads do not',
  async (t, adapter) => {
    const links = 'Link: </a.css>; rel=preload; as=style\r\nLink: </b.js>; rel=preload; as=script'
    const early = await behind(
      t,
      adapter,
      interim(`Status: 103\r\n${links}\r\nX-Secret: 1\r\n\r\n`),
    )
    const { text } = await early.get()
    const [hints = '', final = ''] = text.split('\r\n\r\n')
    t.match(hints, /^HTTP\/1\.1 103 Early Hints\r\n/)
    t.match(hints, /<\/a\.css>; rel=preload; as=style/)
    t.match(hints, /<\/b\.js>; rel=preload; as=script/)
    t.notMatch(hints, /secret/i)
    t.match(final, /^HTTP\/1\.1 200 OK/)
    t.match(text, /\r\n\r\nfinal$/)
    for (const head of ['Status: 100', 'Status: 102', 'Status: 103', 'Status: 199\r\nLink: <a>']) {
      const { get } = await behind(t, adapter, interim(`${head}\r\n\r\n`))
      t.match((await get()).text, /^HTTP\/1\.1 200 OK[\s\S]*final$/, head)
    }
  },
)

eachAdapter(t, '103 to HTTP/1.0, which knows no such thing', async (t, adapter) => {
  const { app } = await behind(
    t,
    adapter,
    interim('Status: 103\r\nLink: </a>; rel=preload\r\n\r\n'),
  )
  const { text } = await rawRequest(app.port, 'GET /x.php HTTP/1.0\r\n\r\n')
  t.match(text, /^HTTP\/1\.1 200 OK/)
})

eachAdapter(t, 'links that node:http does not take', async (t, adapter) => {
  for (const link of [
    '</a>; rel=preload, </b>; rel=preload',
    'nonsense',
    '</a>; title="x y"',
    '',
  ]) {
    const { get } = await behind(t, adapter, interim(`Status: 103\r\nLink: ${link}\r\n\r\n`))
    const { text } = await get()
    t.match(text, /HTTP\/1\.1 200 OK[\s\S]*\r\n\r\nfinal$/, `the response is whole (${link})`)
  }
})

eachAdapter(t, '101 is a failure, also behind an informational head', async (t, adapter) => {
  const { get } = await behind(t, adapter, interim('Status: 100\r\n\r\nStatus: 101\r\n\r\n'), {
    retries: 0,
  })
  t.equal((await get()).status, 502)
})

eachAdapter(t, 'an empty body that comes late', async (t, adapter) => {
  const script = eachRequest(async (_request, connection) => {
    await connection.writeSlowly([stdoutRecords('X-A: 1\r\n\r\n'), endRecord()])
  })
  const { get } = await behind(t, adapter, script)
  const { status, text } = await get()
  t.equal(status, 200)
  t.match(text, /\r\n\r\n(0\r\n\r\n)?$/)
})
