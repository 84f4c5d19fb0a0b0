/** What becomes of requests and responses that do not end as they should. */
import type { ServerResponse } from 'node:http'
import { finished } from 'node:stream/promises'
import t from 'tap'
import { until, within } from '../helpers/wait.ts'
import { connectTo, startServer, WebServer } from '../helpers/web-server.ts'

const POST = { REQUEST_METHOD: 'POST' }

t.test('an upload that is cut short never looks complete', async (t) => {
  const outcomes: string[] = []
  const { port } = await startServer(t, (req, res) => {
    finished(req.resume()).then(
      () => outcomes.push('complete'),
      (error) => outcomes.push(error.code),
    )
    req.on('end', () => res.end('complete'))
  })
  const web = await connectTo(t, port)
  const params = { ...POST, CONTENT_LENGTH: '10' }
  const short = await web.get({ params, body: '12345' })
  t.match(short, { status: 400, headers: { 'content-type': 'text/plain' } })
  const long = await web.get({ params, body: '1234567890 and more' })
  t.match(long, { status: 200, body: 'complete' })
  web.ask({ params, body: undefined })
  web.stdin('12345')
  web.socket.end()
  await until('all three', () => outcomes.length === 3)
  t.strictSame(outcomes, ['ECONNRESET', 'complete', 'ECONNRESET'])
})

t.test('a response that is cut short never looks complete', async (t) => {
  const held: ServerResponse[] = []
  const { port } = await startServer(t, (req, res) => {
    if (req.url === '/held') held.push(res)
    else {
      res.write('a part')
      setImmediate(() => res.destroy())
    }
  })
  const web = await connectTo(t, port)
  const answer = web.ask()
  await within('the end of the connection', web.ended)
  t.match(answer.stdout.toString(), /a part$/)
  t.equal(answer.end, undefined, 'no END_REQUEST')

  const shared = await connectTo(t, port)
  const other = shared.ask({ id: 1, params: { REQUEST_URI: '/held' } })
  await until('the request', () => held.length === 1)
  const broken = shared.ask({ id: 2 })
  await shared.until('the part', () => broken.stdout.length > 0)
  const refused = shared.ask({ id: 3 })
  await within('the refusal', refused.done)
  t.equal(refused.end?.protocolStatus, 2, 'nothing new is begun on the connection')
  held[0]?.end('whole')
  await within('the other', other.done)
  t.match(other.stdout.toString(), /whole$/, 'the others on the connection end well')
  await within('the end of the connection', shared.ended)
  t.equal(broken.end, undefined)
})

t.test('a response that was not begun when it is given up becomes a 500', async (t) => {
  const { port } = await startServer(t, (_req, res) => res.destroy(new Error('given up')))
  const web = await connectTo(t, port)
  t.match(await web.get(), { status: 500, body: 'Internal Server Error\n' })
  t.match(await web.get({ id: 2 }), { status: 500 })
})

t.test('timeouts of req and res', async (t) => {
  const { port } = await startServer(t, (req, res) => {
    if (req.url === '/handled') res.setTimeout(30, () => res.end('late'))
    else req.socket.setTimeout(30)
  })
  const web = await connectTo(t, port)
  t.equal((await web.get({ params: { REQUEST_URI: '/handled' } })).body, 'late')
  t.equal((await web.get()).status, 500, 'as node:http, which closes the connection then')
})

t.test("what a listener throws is the program's to handle, as under node:http", async (t) => {
  const { server, port } = await startServer(t, () => {
    throw new Error('thrown by the listener')
  })
  const web = await connectTo(t, port)
  const thrown = new Promise((resolve) => {
    server.once('connection', () => {})
    process.setUncaughtExceptionCaptureCallback(resolve)
  })
  web.ask()
  t.match(await within('the exception', thrown), { message: 'thrown by the listener' })
  process.setUncaughtExceptionCaptureCallback(null)
  await within('the end of the connection', web.closed)
  t.ok(web instanceof WebServer)
})
