/** Authorizers and filters (FastCGI 1.0 §6.3, §6.4). */
import { text } from 'node:stream/consumers'
import { allow, deny } from '@fastcgi/application'
import { FastCGIClient } from '@fastcgi/client'
import { encodeRecord, RecordType, Role } from '@fastcgi/protocol'
import t from 'tap'
import { within } from '../helpers/wait.ts'
import { connectTo, parse, startServer } from '../helpers/web-server.ts'

t.test('an authorizer says yes, with variables, or no, with a response', async (t) => {
  const { port } = await startServer(t, {
    authorizer: async (req) =>
      req.headers.authorization === 'yes'
        ? allow({ USER: 'ada', CITY: 'Zürich', EMPTY: '' })
        : deny({ status: 401, headers: { 'WWW-Authenticate': 'Basic' }, body: 'No.' }),
  })
  const web = await connectTo(t, port)
  const role = Role.AUTHORIZER
  const yes = await web.get({ role, params: { HTTP_AUTHORIZATION: 'yes' } })
  t.equal(
    yes.stdout.toString(),
    'Status: 200 OK\r\nVariable-USER: ada\r\nVariable-CITY: Zürich\r\nVariable-EMPTY: \r\n\r\n',
    'Status first; values as bytes',
  )
  const no = await web.get({ role })
  t.match(no, { status: 401, body: 'No.', headers: { 'www-authenticate': 'Basic' } })
  t.match(no.stdout.toString(), /^Status: 401 /)
  const noStdin = await web.get({ role, body: undefined })
  t.equal(noStdin.status, 401, 'without STDIN, as mod_fcgid asks')
  t.equal((await web.get()).end?.protocolStatus, 3, 'it is no responder')

  const client = new FastCGIClient(`127.0.0.1:${port}`)
  t.teardown(() => client.close())
  const response = await client.request({
    role: 'authorizer',
    params: { REQUEST_METHOD: 'GET', HTTP_AUTHORIZATION: 'yes' },
  })
  t.equal(response.status, 200)
  t.ok(response.headers.includes('Variable-USER'))
})

t.test('an authorizer that fails denies', async (t) => {
  const failures = {
    '/throws': () => {
      throw new Error('no database')
    },
    '/rejects': () => Promise.reject(new Error('no database')),
    '/nothing': () => undefined as never,
    '/field': () => deny({ headers: { 'X-A': 'b\r\nVariable-X: y' } }),
  }
  const { port } = await startServer(t, {
    authorizer: (req) => failures[req.url as keyof typeof failures](),
  })
  const web = await connectTo(t, port)
  for (const path of Object.keys(failures)) {
    const response = await web.get({ role: Role.AUTHORIZER, params: { REQUEST_URI: path } })
    t.match(response, { status: 500, body: 'Internal Server Error\n' }, path)
    t.match(response.stderr, /^authorizer failed: /, 'the reason goes to the error log')
    t.notMatch(response.stdout.toString(), 'database', 'and not to the client')
  }
})

t.test('a filter gets the body, then the data', async (t) => {
  const { port } = await startServer(t, {
    responder: (_req, res) => res.end('responder'),
    filter: async (req, res) => {
      const body = await text(req)
      const { stream, length, lastModified } = req.fastcgi.data
      const data = await text(stream)
      res.end(`${body}|${data.toUpperCase()}|${length}|${lastModified?.toISOString()}`)
    },
  })
  const web = await connectTo(t, port)
  const params = {
    REQUEST_METHOD: 'POST',
    CONTENT_LENGTH: '4',
    FCGI_DATA_LENGTH: '9',
    FCGI_DATA_LAST_MOD: '1000000000',
  }
  const filtered = await web.get({ role: Role.FILTER, params, body: 'body', data: 'some data' })
  t.equal(filtered.body, 'body|SOME DATA|9|2001-09-09T01:46:40.000Z')
  const unknown = await web.get({ id: 2, role: Role.FILTER, body: '', data: 'x' })
  t.equal(unknown.body, '|X|undefined|undefined')
  t.equal((await web.get({ id: 3 })).body, 'responder')

  const early = await startServer(t, { filter: (_req, res) => res.end('as before') })
  const other = await connectTo(t, early.port)
  const answer = other.ask({ role: Role.FILTER, params })
  await within('END_REQUEST', answer.done)
  t.equal(parse(answer).body, 'as before', 'it need not read the data')
})

t.test('data that is shorter than FCGI_DATA_LENGTH never looks complete', async (t) => {
  const { port } = await startServer(t, {
    filter: (req, res) => {
      text(req.fastcgi.data.stream).then(
        () => res.end('complete'),
        (error) => res.end(error.message),
      )
    },
  })
  const web = await connectTo(t, port)
  const answer = web.ask({ role: Role.FILTER, params: { FCGI_DATA_LENGTH: '9' } })
  web.socket.write(encodeRecord(RecordType.DATA, 1, Buffer.from('short')))
  web.socket.write(encodeRecord(RecordType.DATA, 1))
  await within('END_REQUEST', answer.done)
  t.equal(parse(answer).body, 'FCGI_DATA is shorter than FCGI_DATA_LENGTH says')
})

t.test('data has backpressure', async (t) => {
  const length = 20_000_000
  const { port } = await startServer(t, {
    filter: async (req, res) => {
      let sum = 0
      for await (const chunk of req.fastcgi.data.stream) sum += chunk.length
      res.end(String(sum))
    },
  })
  const web = await connectTo(t, port)
  const response = web.ask({ role: Role.FILTER, params: { FCGI_DATA_LENGTH: String(length) } })
  for (let sent = 0; sent < length; sent += 50_000)
    web.socket.write(encodeRecord(RecordType.DATA, 1, Buffer.alloc(50_000)))
  web.socket.write(encodeRecord(RecordType.DATA, 1))
  await within('END_REQUEST', response.done)
  t.equal(parse(response).body, String(length))
})
