/** Bodies that a framework has parsed before: written again where that can be done, refused loudly where not. */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import querystring from 'node:querystring'
import { buffer } from 'node:stream/consumers'
import { createGateway, writeResponse } from '@fastcgi/gateway'
import { socketClient } from '@fastcgi/gateway/internal'
import t, { type Test } from 'tap'
import { memoryLogger, type Seen, site, Upstream } from './harness.ts'

interface Outcome {
  status: number
  text: string
  seen: Seen | undefined
  log: string[]
}

/** Posts `bytes`, has them parsed by `parse`, and hands what comes out to a gateway. */
async function post(
  t: Test,
  type: string | undefined,
  bytes: string | Buffer,
  parse: (bytes: Buffer, req: IncomingMessage) => unknown,
  headers: Record<string, string> = {},
): Promise<Outcome> {
  const upstream = new Upstream()
  const logger = memoryLogger()
  const gateway = createGateway({ upstream, logger, root: site(t, 'x.php') })
  const server = createServer(async (req, res) => {
    const parsedBody = parse(await buffer(req), req)
    const client = socketClient(req)
    gateway.handle(
      { req, res, source: req, url: req.url ?? '', mount: '', client, parsedBody },
      (error, response) => {
        if (response !== undefined) writeResponse(res, response)
        else res.writeHead(error?.status ?? 404).end(`${error?.code}: ${error?.message}`)
      },
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const response = await fetch(`http://127.0.0.1:${port}/x.php`, {
    method: 'POST',
    body: Buffer.from(bytes),
    headers: {
      connection: 'close',
      ...(type !== undefined && { 'content-type': type }),
      ...headers,
    },
  })
  const text = await response.text()
  return { status: response.status, text, seen: upstream.seen[0], log: logger.lines }
}

async function sent(
  t: Test,
  type: string | undefined,
  parsed: unknown,
  wanted: string | Buffer,
  bytes: string | Buffer = 'as it came',
  sentType: string | undefined = type,
): Promise<void> {
  const { status, seen } = await post(t, type, bytes, () => parsed)
  const body = Buffer.from(wanted)
  t.equal(status, 200)
  t.equal(seen?.body.toString('latin1'), body.toString('latin1'))
  t.equal(seen?.params.CONTENT_LENGTH, String(body.length), 'the length of what is sent')
  t.equal(seen?.params.CONTENT_TYPE, sentType, 'the type with the charset of the bytes')
}

const FORM = 'application/x-www-form-urlencoded'

t.test('JSON', async (t) => {
  await sent(t, 'application/json', { a: [1, 'ü'] }, '{"a":[1,"ü"]}')
  await sent(t, 'application/vnd.api+json; charset=utf-8', [], '[]')
  await sent(t, 'application/json', null, 'null')
  await sent(t, 'application/json', false, 'false')
  await sent(t, 'application/json', '{"raw": true}', '{"raw": true}')
  await sent(t, 'application/json', 'text', '"text"')
})

t.test('urlencoded, nested as PHP reads it', async (t) => {
  await sent(t, FORM, { a: '1', b: 'x y&z=ü' }, 'a=1&b=x%20y%26z%3D%C3%BC')
  await sent(
    t,
    FORM,
    { a: { b: ['1', '2'], c: { d: '3' } } },
    'a%5Bb%5D%5B0%5D=1&a%5Bb%5D%5B1%5D=2&a%5Bc%5D%5Bd%5D=3',
  )
  await sent(t, `${FORM}; charset=utf-8`, {}, '')
  await sent(t, FORM, 'a=1&b=2', 'a=1&b=2')
})

t.test('urlencoded, what middleware has put into it', async (t) => {
  const values = { n: 1, yes: true, no: null, gone: undefined, at: new Date(0), a: [[1], { b: 2 }] }
  await sent(
    t,
    FORM,
    values,
    'n=1&yes=true&no=&at=1970-01-01T00%3A00%3A00.000Z&a%5B0%5D%5B0%5D=1&a%5B1%5D%5Bb%5D=2',
  )
  await sent(t, FORM, { half: '\ud800' }, 'half=%EF%BF%BD')
})

t.test('urlencoded, as a parser that does not interpret brackets leaves it', async (t) => {
  const days = 'days%5B%5D=mon&days%5B%5D=tue'
  await sent(t, FORM, { 'days[]': ['mon', 'tue'] }, days)
  await sent(t, FORM, { 'days[]': 'mon' }, 'days%5B%5D=mon')
  await sent(t, FORM, { 'a[b]': ['1', '2'], c: ['3', '4'] }, 'a%5Bb%5D=1&a%5Bb%5D=2&c=3&c=4')
  await sent(t, FORM, querystring.parse('a=1&a=2&b=3'), 'a=1&a=2&b=3')
  await sent(t, FORM, querystring.parse('days[]=mon&days[]=tue'), days)
})

t.test('the charset agrees with the bytes', async (t) => {
  const latin1 = `${FORM}; charset=iso-8859-1`
  await sent(t, latin1, { a: 'gr\u00fcn', b: ['\u00e9'] }, 'a=gr%FCn&b%5B0%5D=%E9')
  await sent(t, latin1, { 'a[]': ['\u00fc', '\u00e9'] }, 'a%5B%5D=%FC&a%5B%5D=%E9')
  await sent(t, latin1, { a: '1+1 \u20ac' }, 'a=1%2B1%20%26%238364%3B')
  const json = (charset: string) => `application/json;charset=${charset}; x=y`
  await sent(t, json('utf-16'), ['ü'], '["ü"]', 'as it came', json('utf-8'))
  await sent(t, json('utf-8'), ['ü'], '["ü"]')
  const plain = (charset: string) => `text/plain; charset=${charset}`
  await sent(t, plain('windows-1252'), '\u20ac', '\u20ac', 'as it came', plain('utf-8'))
  await sent(t, plain('"shift_jis"'), '\u30c6', '\u30c6', 'as it came', plain('utf-8'))
  await sent(t, plain('iso-8859-1'), '\u20ac', '\u20ac', 'as it came', plain('utf-8'))
})

t.test('bytes and text', async (t) => {
  await sent(t, 'image/png', Buffer.from([0, 255, 128]), Buffer.from([0, 255, 128]))
  await sent(t, 'image/png', new Uint8Array([1, 2, 3, 4]).subarray(1, 3), Buffer.from([2, 3]))
  await sent(t, undefined, Buffer.from('x'), 'x')
  await sent(t, 'text/plain', 'grün', Buffer.from('grün'))
  await sent(t, 'text/plain; charset=utf-8', 'grün', Buffer.from('grün'))
  await sent(t, 'text/plain; charset=ISO-8859-1', 'gr\u00fcn', Buffer.from('gr\u00fcn', 'latin1'))
  await sent(t, 'text/plain; charset="iso-8859-1"', 'gr\u00fcn', Buffer.from('gr\u00fcn', 'latin1'))
})

t.test('Content-Encoding is gone with what was inflated', async (t) => {
  const { seen } = await post(t, 'application/json', 'zipped', () => ({ a: 1 }), {
    'content-encoding': 'gzip',
  })
  t.notOk('HTTP_CONTENT_ENCODING' in (seen?.params ?? {}))
})

t.test('what cannot be written again', async (t) => {
  const consumed = async (type: string | undefined, parsed: unknown) => {
    const { status, text, seen, log } = await post(t, type, 'bytes', () => parsed)
    t.equal(status, 500)
    t.equal(text, 'FCGI_BODY_CONSUMED: Internal Server Error')
    t.match(log, [/^error the request body .*has been read.*before/])
    t.equal(seen, undefined, 'nothing reaches the application')
  }
  await consumed('multipart/form-data; boundary=x', { field: 'value' })
  await consumed('text/xml', { document: {} })
  await consumed(undefined, { a: 1 })
  await consumed(FORM, 7)
  await consumed('application/json', undefined)
})

t.test('a body that was parsed although there is none', async (t) => {
  const { status, seen } = await post(t, FORM, '', () => ({}))
  t.equal(status, 200)
  t.equal(seen?.params.CONTENT_LENGTH, '0')
})
