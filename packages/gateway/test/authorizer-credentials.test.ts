/** Basic credentials (RFC 7617). */
import type { IncomingMessage } from 'node:http'
import t from 'tap'
import { basicCredentials, challenge } from './internals.ts'

const of = (authorization?: string) =>
  basicCredentials({ headers: { authorization } } as IncomingMessage)
const encoded = (text: string, encoding: BufferEncoding = 'utf8') =>
  `Basic ${Buffer.from(text, encoding).toString('base64')}`

t.test('understood', (t) => {
  t.strictSame(of(encoded('alice:sesame')), { user: 'alice', password: 'sesame' })
  t.strictSame(of(encoded('alice:a:b:')), { user: 'alice', password: 'a:b:' })
  t.strictSame(of(encoded(':')), { user: '', password: '' })
  t.strictSame(of('basic  YTpi  '), { user: 'a', password: 'b' }, 'RFC 6750 knows other spaces')
  t.strictSame(of('BASIC YTpi'), { user: 'a', password: 'b' })
  t.strictSame(
    of(encoded('J\u00fc:\u20ac')),
    { user: 'J\u00c3\u00bc', password: '\u00e2\u0082\u00ac' },
    'bytes, one character each',
  )
  t.end()
})

t.test('not understood', (t) => {
  const wrong = [
    undefined,
    '',
    'Basic',
    'Basic ',
    'Basic:YTpi',
    'Bearer YTpi',
    'Basic YTpi, Basic YTpi',
    'Basic Y!pi',
    'Basic YTpi===',
    encoded('nocolon'),
    encoded('al\0ice:x'),
    encoded('alice:x\0'),
    encoded('alice\r\n:x'),
    encoded('alice:\x7f'),
    ' Basic YTpi',
  ]
  for (const authorization of wrong) t.equal(of(authorization), undefined, `${authorization}`)
  t.end()
})

t.test('a long field takes no long time', (t) => {
  const started = performance.now()
  of(`Basic ${'A'.repeat(100_000)}!`)
  of(`Basic${' '.repeat(100_000)}!`)
  t.ok(performance.now() - started < 5000 * Number(process.env.FCGI_TEST_SLOWNESS ?? 1))
  t.end()
})

t.test('the challenge', (t) => {
  t.equal(challenge('a "b" \\c'), 'Basic realm="a \\"b\\" \\\\c", charset="UTF-8"')
  t.end()
})
