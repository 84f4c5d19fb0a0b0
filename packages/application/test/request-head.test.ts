/** From params to a request line and header fields. */
import t from 'tap'
import { readRequestHead } from './internals.ts'

function read(params: Record<string, string>) {
  const head = readRequestHead(Object.entries({ REQUEST_METHOD: 'GET', ...params }))
  const headers: Record<string, string> = {}
  for (let at = 0; at < head.rawHeaders.length; at += 2)
    headers[String(head.rawHeaders[at]).toLowerCase()] = String(head.rawHeaders[at + 1])
  return { ...head, headers }
}

t.test('fields', async (t) => {
  const head = read({
    REQUEST_METHOD: 'POST',
    REQUEST_URI: '/a?b=c',
    CONTENT_TYPE: 'text/plain',
    CONTENT_LENGTH: '5',
    HTTP_HOST: 'example.org',
    HTTP_X_REQUEST_ID: '7',
    HTTP_COOKIE: 'a=b; c=d',
    HTTP_CONTENT_LENGTH: '99',
    HTTP_CONTENT_TYPE: 'text/html',
    HTTP_TRANSFER_ENCODING: 'chunked',
    SERVER_NAME: 'not-a-field',
  })
  t.equal(head.method, 'POST')
  t.equal(head.url, '/a?b=c')
  t.strictSame(
    head.headers,
    {
      'content-type': 'text/plain',
      'content-length': '5',
      host: 'example.org',
      'x-request-id': '7',
      cookie: 'a=b; c=d',
    },
    'CONTENT_* win over HTTP_CONTENT_*; no Transfer-Encoding where there is a length',
  )
  t.strictSame(head.rawHeaders.slice(-4), ['X-Request-Id', '7', 'Cookie', 'a=b; c=d'])
  t.equal(head.contentLength, 5)
})

t.test('a body of unknown length keeps its Transfer-Encoding, as under node:http', async (t) => {
  const { headers, contentLength } = read({ HTTP_TRANSFER_ENCODING: 'chunked', CONTENT_LENGTH: '' })
  t.strictSame(headers, { 'transfer-encoding': 'chunked' })
  t.equal(contentLength, undefined)
})

t.test('CONTENT_LENGTH=0, which lighttpd sends with everything', async (t) => {
  for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS'])
    t.strictSame(read({ REQUEST_METHOD: method, CONTENT_LENGTH: '0' }).headers, {}, method)
  for (const method of ['POST', 'PUT', 'PATCH'])
    t.strictSame(
      read({ REQUEST_METHOD: method, CONTENT_LENGTH: '0' }).headers,
      { 'content-length': '0' },
      method,
    )
})

t.test('CONTENT_LENGTH that is no number', async (t) => {
  for (const text of ['-1', '1e3', 'x', '12345678901234567890', ' 1'])
    t.ok(Number.isNaN(read({ CONTENT_LENGTH: text }).contentLength), text)
})

t.test('url', async (t) => {
  t.equal(read({ REQUEST_URI: '/%20?x' }).url, '/%20?x', 'as the client sent it')
  t.equal(
    read({ SCRIPT_NAME: '/app', PATH_INFO: '/a b?', QUERY_STRING: 'x=1' }).url,
    '/app/a%20b%3F?x=1',
  )
  t.equal(read({ PATH_INFO: Buffer.from('/é').toString('latin1') }).url, '/%C3%A9')
  t.equal(read({}).url, '/')
})

t.test('version', async (t) => {
  t.equal(read({ SERVER_PROTOCOL: 'HTTP/1.0' }).httpVersionMinor, 0)
  for (const protocol of ['HTTP/1.1', 'HTTP/2.0', 'HTTP/3', ''])
    t.equal(read({ SERVER_PROTOCOL: protocol }).httpVersionMinor, 1, protocol)
})

t.test('client', async (t) => {
  const { client } = read({
    REMOTE_ADDR: '2001:db8::1',
    REMOTE_PORT: '4711',
    SERVER_ADDR: '::1',
    SERVER_PORT: '443',
    HTTPS: 'on',
  })
  t.strictSame(client, {
    remoteAddress: '2001:db8::1',
    remotePort: 4711,
    remoteFamily: 'IPv6',
    localAddress: '::1',
    localPort: 443,
    encrypted: true,
  })
  t.equal(read({ REMOTE_ADDR: '127.0.0.1' }).client.remoteFamily, 'IPv4')
  t.equal(read({ HTTPS: 'off' }).client.encrypted, false, 'as IIS says it')
  t.equal(read({ REQUEST_SCHEME: 'https' }).client.encrypted, true)
  t.equal(read({}).client.remoteAddress, undefined)
})
