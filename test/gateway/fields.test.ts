/** Fields and statuses of a response: what reaches the client, in which number, byte for byte. */
import type { ServerResponse } from 'node:http'
import t, { type Test } from 'tap'
import { type AdapterName, eachAdapter } from '../helpers/adapters.ts'
import { behind, whole } from '../helpers/behind.ts'
import type { RawResponse } from '../helpers/raw-http.ts'
import { eachRequest, endRecord, stdoutRecords } from '../helpers/scripted-peer.ts'
import { within } from '../helpers/wait.ts'

/** What the client gets of a response with this head; lines end in CRLF. */
async function got(
  t: Test,
  adapter: AdapterName,
  lines: string[],
  body = 'x',
): Promise<RawResponse> {
  const bytes = whole(`${lines.join('\r\n')}\r\n\r\n`, Buffer.from(body, 'latin1'))
  const { get } = await behind(
    t,
    adapter,
    eachRequest((_r, connection) => void connection.write(bytes)),
  )
  return get()
}

eachAdapter(
  t,
  'what is meant for the gateway, or for the connection, stays here',
  async (t, adapter) => {
    const controls = [
      'Status: 200 OK',
      'X-Sendfile: /etc/passwd',
      'X-Sendfile2: /etc/passwd 0-',
      'X-LIGHTTPD-send-file: /etc/passwd',
      'X-LIGHTTPD-KBytes-per-second: 5',
      'X-Accel-Redirect: /internal',
      'X-Accel-Buffering: no',
      'X-Accel-Expires: 5',
      'X-Accel-Limit-Rate: 5',
      'X-Accel-Charset: utf-8',
      'Keep-Alive: timeout=99',
      'Proxy-Connection: keep-alive',
      'Upgrade: h2c',
      'Trailer: X-T',
      'TE: trailers',
      'HTTP2-Settings: x',
      'Transfer-Encoding: identity',
      'Connection: keep-alive, X-Hop',
      'X-Hop: 1',
    ]
    const { headers, status, text } = await got(t, adapter, [...controls, 'X-Kept: 1'])
    t.equal(status, 200)
    t.equal(headers['x-kept'], '1')
    t.equal(headers.connection, 'close', "the server's own")
    for (const control of controls) {
      const [name = '', value = ''] = control.split(': ')
      if (name !== 'Connection') t.notOk(name.toLowerCase() in headers, name)
      if (value.length > 4) t.notOk(headers.connection?.includes(value))
    }
    t.notMatch(text, /passwd|internal/)
  },
)

eachAdapter(t, 'fields that come more than once', async (t, adapter) => {
  const cookies = Array.from({ length: 20 }, (_, n) => `c${n}=v${n}; Path=/`)
  const { headers } = await got(t, adapter, [
    ...cookies.map((cookie) => `Set-Cookie: ${cookie}`),
    'Content-Type: text/html',
    'Content-Type: text/plain',
    'ETag: "1"',
    'etag: "2"',
    'Location: /first',
    'Location: /second',
    'Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT',
    'Last-Modified: Fri, 02 Jan 2015 00:00:00 GMT',
    'Link: <a>',
    'Link: <b>',
    'Vary: A',
    'Vary: B',
    'Cache-Control: private',
    'Cache-Control: no-store',
    'X-Any: 1',
    'X-Any: 2',
  ])
  t.strictSame(headers['set-cookie']?.split('\n'), cookies, 'all cookies, in order')
  t.equal(headers['content-type'], 'text/html')
  t.equal(headers.etag, '"1"')
  t.equal(headers.location, '/first')
  t.equal(headers['last-modified'], 'Thu, 01 Jan 2015 00:00:00 GMT')
  const joined = (name: string) => headers[name]?.split(/\n|, /)
  t.strictSame(joined('link'), ['<a>', '<b>'])
  t.strictSame(joined('vary'), ['A', 'B'])
  t.strictSame(joined('cache-control'), ['private', 'no-store'])
  t.strictSame(joined('x-any'), ['1', '2'])
})

eachAdapter(t, 'statuses and reason phrases', async (t, adapter) => {
  const line = async (...lines: string[]) =>
    (await got(t, adapter, [...lines, 'X: 1'])).text.split('\r\n')[0]
  t.equal(await line(), 'HTTP/1.1 200 OK')
  t.equal(await line('Status: 404'), 'HTTP/1.1 404 Not Found')
  t.equal(await line('Status: 200 Made Up  Phrase'), 'HTTP/1.1 200 Made Up  Phrase')
  t.equal(await line('Status: 299 gr\u00fcn \u00ff'), 'HTTP/1.1 299 gr\u00fcn \u00ff')
  t.equal(await line('Status: 418 I\tam'), 'HTTP/1.1 418 I\tam')
  t.equal(await line('Location: /x'), 'HTTP/1.1 302 Found')
  t.equal(await line('Location: /x', 'Status: 201 Created'), 'HTTP/1.1 201 Created')
  t.equal(await line('HTTP/1.1 403 No Entry'), 'HTTP/1.1 403 No Entry')
  t.equal(
    await line('Status: 503 Later'),
    'HTTP/1.1 503 Later',
    "the application's own, no failure",
  )
})

eachAdapter(t, 'statuses nobody knows', async (t, adapter) => {
  t.equal((await got(t, adapter, ['Status: 599', 'X-A: 1'])).status, 599)
  for (const status of [600, 999])
    t.equal((await got(t, adapter, [`Status: ${status}`])).status, 502, 'RFC 9110 §15: invalid')
})

eachAdapter(
  t,
  'bytes over 127 in fields and bodies, with and without a body at once',
  async (t, adapter) => {
    const utf8 = Buffer.from('attachment; filename="gr\u00fcn.pdf"').toString('latin1')
    const every = Array.from({ length: 128 }, (_, n) => String.fromCharCode(128 + n)).join('')
    for (const body of ['', every]) {
      const response = await got(
        t,
        adapter,
        [`Content-Disposition: ${utf8}`, `X-Bytes: ${every}`],
        body,
      )
      t.equal(response.headers['content-disposition'], utf8)
      t.ok(response.text.includes(`${every}\r\n`), 'every byte as it came')
      t.equal(response.body, body)
    }
    const { get } = await behind(
      t,
      adapter,
      eachRequest(async (_request, connection) => {
        // Cut behind the head: it goes out before there is a body.
        const head = stdoutRecords(Buffer.from(`X-Bytes: ${every}\r\n\r\n`, 'latin1'))
        await connection.writeSlowly([head, stdoutRecords('streamed'), endRecord()])
      }),
    )
    t.ok((await get()).text.includes(`${every}\r\n`), 'in a head without a body, too')
  },
)

eachAdapter(
  t,
  'no Content-Type is invented, and the length of what is complete is told',
  async (t, adapter) => {
    const response = await got(t, adapter, ['X-A: 1'], 'hello')
    t.notOk('content-type' in response.headers)
    t.equal(response.headers['content-length'], '5')
    t.equal(response.body, 'hello')
    const typed = await got(t, adapter, ['Content-Type: image/x-odd'], 'hello')
    t.equal(typed.headers['content-type'], 'image/x-odd', 'and none is changed')
    t.equal(typed.headers['content-length'], '5')
    const empty = await got(t, adapter, ['X-A: 1'], '')
    t.equal(empty.headers['content-length'], '0')
  },
)

eachAdapter(t, "the application's own Date, Server and Content-Length", async (t, adapter) => {
  const { headers } = await got(t, adapter, [
    'Date: Thu, 01 Jan 2015 00:00:00 GMT',
    'Server: mine',
    'Content-Length: 1',
  ])
  t.equal(headers.date, 'Thu, 01 Jan 2015 00:00:00 GMT')
  t.equal(headers.server, 'mine')
  t.equal(headers['content-length'], '1')
})

eachAdapter(t, 'a large head, and odd names', async (t, adapter) => {
  const many = Array.from({ length: 200 }, (_, n) => `X-N${n}: ${'v'.repeat(200)}`)
  const { headers, body } = await got(t, adapter, [
    ...many,
    'X_Under: 1',
    'x!#$%&*+.^`|~: 2',
    '__proto__: 3',
  ])
  t.equal(Object.keys(headers).filter((name) => /^x-n\d+$/.test(name)).length, 200)
  t.equal(headers['x-n199'], 'v'.repeat(200))
  t.equal(headers.x_under, '1')
  t.equal(headers['x!#$%&*+.^`|~'], '2')
  t.equal(body, 'x')
})

/** Ways in which loggers and other middleware get to see the fields of a response. */
const ONLOOKERS: Record<string, (res: ServerResponse, look: () => void) => void> = {
  finish: (res, look) => res.on('finish', look),
  close: (res, look) => res.on('close', look),
  'end of its own': (res, look) => {
    const { end } = res
    res.end = function own(this: ServerResponse, ...given: unknown[]) {
      look()
      return Reflect.apply(end, this, given)
    }
  },
}

for (const [name, attach] of Object.entries(ONLOOKERS))
  eachAdapter(t, `those who look at a response find its fields: ${name}`, async (t, adapter) => {
    // Fastify never tells node:http's response of them before it writes the head, whoever answers.
    if (adapter === 'fastify') return
    const bytes = whole('Content-Type: text/odd\r\nX-Kept: 1\r\n\r\n', 'x')
    const script = eachRequest((_r, connection) => void connection.write(bytes))
    const { app, get } = await behind(t, adapter, script)
    const seen = new Promise((resolve) => {
      app.server.prependListener('request', (_req, res) =>
        attach(res, () => resolve([res.getHeader('content-type'), res.getHeader('x-kept')])),
      )
    })
    await get()
    t.same(await within('the look', seen), ['text/odd', '1'])
  })
