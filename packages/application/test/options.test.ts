import { allow, createServer, deny, OptionError } from '@fastcgi/application'
import t from 'tap'

t.test('options are checked when they are given', async (t) => {
  const cases: ReadonlyArray<readonly [object, string]> = [
    [{ maxRequest: 1 }, 'unknown option maxRequest; there are maxConnections, maxRequests'],
    [{ maxRequests: 0 }, 'option maxRequests must be a whole number, 1 to'],
    [{ maxParams: '5' }, 'option maxParams must be'],
    [{ maxBodySize: -1 }, 'option maxBodySize must be a whole number, 0 to'],
    [{ multiplex: 1 }, 'option multiplex must be true or false'],
    [
      { timeouts: { write: 2 ** 31 } },
      'option timeouts.write must be a whole number, 0 to 2147483647',
    ],
    [{ timeouts: { head: 1 } }, 'unknown option timeouts.head'],
  ]
  for (const [options, message] of cases)
    t.throws(() => createServer(() => {}, options), {
      name: 'OptionError',
      code: 'FCGI_OPTION',
      message: new RegExp(message.replace('.', '\\.')),
    })
  t.ok(new OptionError('x') instanceof Error)
  t.doesNotThrow(() =>
    createServer(() => {}, { maxBodySize: 0, timeouts: { idle: 0, write: undefined as never } }),
  )
})

t.test('allow', async (t) => {
  t.strictSame(allow({ REMOTE_USER: 'ada', NAME: 'é' }), {
    status: 200,
    headers: { 'Variable-REMOTE_USER': 'ada', 'Variable-NAME': 'Ã©' },
    body: '',
  })
  t.throws(() => allow({ 'A-B': '' }), /letters, digits and _ only/)
  t.throws(() => allow({ A: 'x\r\nVariable-B: y' }), /variable A: no line ends/)
})

t.test('deny', async (t) => {
  t.strictSame(deny(), { status: 403, headers: {}, body: '' })
  for (const status of [200, 204, 299, 600, 401.5, Number.NaN])
    t.throws(() => deny({ status }), RangeError, `${status}`)
})
