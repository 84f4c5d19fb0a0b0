/** Which header fields become HTTP_ params, as they come over the wire (RFC 3875 §4.1.18). */
import t, { type Test } from 'tap'
import { head, serve } from './harness.ts'

async function sent(
  t: Test,
  fields: string[],
  options: object = {},
): Promise<Record<string, string>> {
  const { raw, upstream } = await serve(t, options)
  const answer = await raw(head('GET /x.php HTTP/1.1', ...fields))
  if (!answer.includes('HTTP/1.1 200 OK')) t.fail(answer)
  return Object.fromEntries(
    Object.entries(upstream.only.params).filter(([name]) => name.startsWith('HTTP_')),
  )
}

const HOST = { HTTP_HOST: 'www.example' }

t.test('plain fields', async (t) => {
  const fields = [
    'Accept: */*',
    'X-1-Two: a',
    'Authorization: Basic eDp5',
    'DNT:',
    'Range: bytes=0-',
  ]
  t.strictSame(await sent(t, fields), {
    ...HOST,
    HTTP_ACCEPT: '*/*',
    HTTP_X_1_TWO: 'a',
    HTTP_AUTHORIZATION: 'Basic eDp5',
    HTTP_DNT: '',
    HTTP_RANGE: 'bytes=0-',
  })
})

t.test('what speaks of the connection, lies, or does harm', async (t) => {
  const fields = [
    'Proxy: http://evil.example',
    'Proxy-Authorization: x',
    'Proxy-Connection: x',
    'Keep-Alive: x',
    'TE: trailers',
    'Trailer: x',
    'Expect: 100-continue',
    'Redirect-Status: 200',
    'HTTP2-Settings: x',
    'Content-Type: text/plain',
    'Content-Length: 0',
  ]
  t.strictSame(await sent(t, fields), HOST)
})

t.test('what Connection names', async (t) => {
  const { raw, upstream } = await serve(t)
  const fields = [
    'Host: h',
    'Connection: close, X-Secret ,x-OTHER',
    'X-Secret: 1',
    'X-Other: 2',
    'X-Kept: 3',
  ]
  await raw(['GET /x.php HTTP/1.1', ...fields, '', ''].join('\r\n'))
  const { HTTP_X_SECRET, HTTP_X_OTHER, HTTP_X_KEPT } = upstream.only.params
  t.strictSame([HTTP_X_SECRET, HTTP_X_OTHER, HTTP_X_KEPT], [undefined, undefined, '3'])
})

t.test('names that would pass for others', async (t) => {
  const fields = [
    'X_Auth: a',
    'X.Auth: b',
    'Content_Length: 5',
    'Content_Type: x',
    "X'Auth: c",
    'X!Auth: d',
    'X~Auth: e',
    'Transfer_Encoding: chunked',
    '_: f',
  ]
  t.strictSame(await sent(t, fields), HOST)
  t.match(await sent(t, ['X_Auth: a', 'X-Auth: b']), { HTTP_X_AUTH: 'b' })
  t.match(await sent(t, ['HTTP-HOST: x']), { ...HOST, HTTP_HTTP_HOST: 'x' })
})

t.test('passHeaders', async (t) => {
  const passHeaders = [
    'X_Legacy',
    'x.dotted',
    'Expect',
    'te',
    'Content-Length',
    'Proxy',
    'Transfer-Encoding',
  ]
  t.strictSame(
    await sent(t, ['X_Legacy: 1', 'X.Dotted: 2', 'Proxy: 3', 'TE: trailers'], { passHeaders }),
    {
      ...HOST,
      HTTP_X_LEGACY: '1',
      HTTP_X_DOTTED: '2',
      HTTP_TE: 'trailers',
    },
  )
  for (const fields of [
    ['X_Legacy: good', 'X-Legacy: bad'],
    ['X-Legacy: bad', 'X_Legacy: good'],
  ])
    t.strictSame(await sent(t, fields, { passHeaders }), { ...HOST, HTTP_X_LEGACY: 'good' })
  t.strictSame(await sent(t, ['X-Legacy: bad'], { passHeaders }), HOST, 'one name, one meaning')
})

t.test('fields that come twice', async (t) => {
  const fields = [
    'Accept: a',
    'Accept: b',
    'X-Forwarded-For: 1',
    'x-forwarded-for: 2',
    'Cookie: a=1',
    'Cookie: b=2',
    'Set-Cookie: x',
    'Set-Cookie: y',
    'User-Agent: first',
    'User-Agent: second',
  ]
  t.strictSame(await sent(t, fields), {
    ...HOST,
    HTTP_ACCEPT: 'a, b',
    HTTP_X_FORWARDED_FOR: '1, 2',
    HTTP_COOKIE: 'a=1; b=2',
    HTTP_SET_COOKIE: 'x, y',
    HTTP_USER_AGENT: 'first',
  })
})

t.test('values are bytes', async (t) => {
  const bytes = 'caf\u00c3\u00a9 \u00e9\u00ff\u0080'
  t.match(await sent(t, [`X-Name: ${bytes}`]), { HTTP_X_NAME: bytes })
})

t.test('what is configured, no client can set', async (t) => {
  const env = { HTTP_X_USER: 'ours', HTTP_X_GONE: null }
  const fields = ['X-User: theirs', 'X-USER: theirs', 'X_User: theirs', 'X-Gone: theirs']
  for (const options of [{ env }, { env: () => env }, { env, passHeaders: ['x_user'] }])
    t.strictSame(await sent(t, fields, options), { ...HOST, HTTP_X_USER: 'ours' })
})

t.test('no header field becomes a param of another kind', async (t) => {
  const { raw, upstream } = await serve(t)
  const names = [
    'PHP_VALUE',
    'PHP-Value',
    'Script-Filename',
    'Document-Root',
    'Remote-User',
    'Auth-Type',
  ]
  await raw(head('GET /x.php HTTP/1.1', ...names.map((name) => `${name}: evil`)))
  const evil = upstream.only.pairs.filter(([, value]) => value === 'evil').map(([name]) => name)
  t.strictSame(evil.sort(), [
    'HTTP_AUTH_TYPE',
    'HTTP_DOCUMENT_ROOT',
    'HTTP_PHP_VALUE',
    'HTTP_REMOTE_USER',
    'HTTP_SCRIPT_FILENAME',
  ])
})

t.test('more names than are remembered', async (t) => {
  const { raw, upstream } = await serve(t)
  for (let n = 0; n < 30; n++) {
    const fields = Array.from({ length: 40 }, (_, at) => `X-N${n * 40 + at}: ${at}`)
    await raw(head('GET /x.php HTTP/1.1', ...fields))
    t.equal(upstream.seen.at(-1)?.params[`HTTP_X_N${n * 40 + 39}`], '39')
  }
})
