/** What goes over the wire to an authorizer (FastCGI 1.0 §6.3), and when its answer counts. */

import { createServer } from 'node:net'
import { decodeNameValues, RecordType } from '@fastcgi/protocol'
import t from 'tap'
import { eachAdapter } from '../helpers/adapters.ts'
import { whole } from '../helpers/behind.ts'
import { guarded } from '../helpers/guarded.ts'
import { rawConnect } from '../helpers/raw-http.ts'
import { eachRequest, endRecord, stdoutRecords } from '../helpers/scripted-peer.ts'
import { delay, turns, until } from '../helpers/wait.ts'

const ABSENT = ['CONTENT_LENGTH', 'PATH_INFO', 'PATH_TRANSLATED', 'SCRIPT_NAME']

await eachAdapter(t, 'role, params and one empty STDIN', async (t, adapter) => {
  const records: Array<[type: number, length: number]> = []
  let role = 0
  let params: Record<string, string> = {}
  // By itself, to see each record as it comes.
  const server = createServer((socket) => {
    socket.on('error', () => {})
    let bytes = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk])
      for (;;) {
        const length = bytes.length < 8 ? Number.NaN : bytes.readUInt16BE(4)
        const end = 8 + length + (bytes[6] ?? 0)
        if (!(bytes.length >= end)) return
        const type = bytes[1] ?? 0
        const content = bytes.subarray(8, 8 + length)
        records.push([type, length])
        if (type === RecordType.BEGIN_REQUEST) role = content.readUInt16BE(0)
        if (type === RecordType.PARAMS && length > 0)
          params = Object.fromEntries(decodeNameValues(content))
        if (type === RecordType.STDIN && length === 0) socket.write(whole('Status: 200\r\n\r\n'))
        bytes = bytes.subarray(end)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const upstream = `127.0.0.1:${(server.address() as { port: number }).port}`
  const { send, behind, through } = await guarded(t, adapter, [{ upstream, reuse: false }])
  const fields = ['Content-Length: 5', 'Content-Type: text/x-test']

  const answer = await send('POST /dir/x.php/info?a=b', fields, 'hello')
  t.equal(answer.status, 200)
  t.strictSame(
    records.map(([type, length]) => [type, length > 0]),
    [
      [RecordType.BEGIN_REQUEST, true],
      [RecordType.PARAMS, true],
      [RecordType.PARAMS, false],
      [RecordType.STDIN, false],
    ],
    'the body is not forwarded',
  )
  t.equal(role, 2)
  t.strictSame(
    ABSENT.filter((name) => name in params),
    [],
  )
  t.equal(params.REQUEST_METHOD, 'POST')
  t.equal(params.REQUEST_URI, '/dir/x.php/info?a=b')
  t.equal(params.CONTENT_TYPE, 'text/x-test')
  t.notOk('FCGI_APACHE_ROLE' in params)
  t.equal((await behind.requests[0]?.stdin())?.toString(), 'hello', 'it is left for the route')
  t.equal(behind.requests[0]?.params.CONTENT_LENGTH, '5')
  t.equal(through.length, 0)
})

await eachAdapter(t, 'a yes counts when it is whole', async (t, adapter) => {
  const rest: Array<() => void> = []
  const does = eachRequest((_request, connection) => {
    connection.write(stdoutRecords('Status: 200 OK\r\nVariable-A: 1\r\n\r\n'))
    rest.push(() => connection.write(endRecord()))
  })
  const { app, through } = await guarded(t, adapter, [{ does }])
  const socket = await rawConnect(app.port)
  socket.on('error', () => {}).resume()
  socket.write('GET /node HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await until('the question', () => rest.length === 1)
  await delay(50)
  t.equal(through.length, 0, 'not before its END_REQUEST')
  rest[0]?.()
  await until('the route', () => through.length === 1)
  t.strictSame(through[0]?.variables, { A: '1' })
  socket.destroy()
})

await eachAdapter(t, 'a client that goes while the guard is asked', async (t, adapter) => {
  let answer = (): void => {}
  const does = eachRequest((_request, connection) => {
    answer = () => void connection.write(whole('Status: 200 OK\r\n\r\n'))
  })
  const { app, asked, through } = await guarded(t, adapter, [{ does, failOpen: true }])
  const socket = await rawConnect(app.port)
  socket.on('error', () => {})
  socket.write('GET /node HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await until('the question', () => asked[0]?.requests.length === 1)
  socket.destroy()
  await until('the question to be taken back', () => asked[0]?.open === 0)
  answer()
  await turns(20)
  t.equal(through.length, 0, 'the route behind never runs')
  t.strictSame(app.log, [], 'which is no failure')
})

await eachAdapter(t, 'HEAD', async (t, adapter) => {
  const does = eachRequest((request, connection) => {
    const yes = request.params.QUERY_STRING === 'yes'
    const no = 'Status: 403 Forbidden\r\nContent-Length: 2\r\n\r\n'
    connection.write(yes ? whole('Status: 200\r\n\r\n') : whole(no, 'no'))
  })
  const { asked, send, through } = await guarded(t, adapter, [{ does }])
  const denied = await send('HEAD /node?no')
  t.equal(denied.status, 403)
  t.equal(denied.body, '')
  t.equal((await send('HEAD /node?yes')).status, 200)
  t.equal(through.length, 1)
  t.strictSame(
    asked[0]?.requests.map(({ params }) => params.REQUEST_METHOD),
    ['HEAD', 'HEAD'],
  )
})
