import { decodeNameValues, encodeNameValues } from '@fastcgi/protocol'
import t from 'tap'
import { addParams, encodeParams } from './internals.ts'

const decoded = (...args: Parameters<typeof encodeParams>) =>
  decodeNameValues(encodeParams(...args))

t.test('an object, a Map, pairs: in order', (t) => {
  const pairs: Array<[string, string]> = [
    ['B', '2'],
    ['A', '1'],
    ['EMPTY', ''],
  ]
  t.strictSame(decoded(Object.fromEntries(pairs)), pairs)
  t.strictSame(decoded(new Map(pairs)), pairs)
  t.strictSame(decoded(pairs), pairs)
  t.strictSame(
    decoded(
      (function* () {
        yield* pairs
      })(),
    ),
    pairs,
  )
  t.strictSame(decoded({}), [])
  t.end()
})

t.test('a name given twice is sent twice', (t) => {
  const twice: Array<[string, string]> = [
    ['A', '1'],
    ['A', '2'],
  ]
  t.strictSame(decoded(twice), twice)
  t.end()
})

t.test('numbers in decimal; null and undefined not at all', (t) => {
  t.strictSame(decoded({ N: 10, ZERO: 0, BIG: 2 ** 53, NO: null, NOR: undefined }), [
    ['N', '10'],
    ['ZERO', '0'],
    ['BIG', '9007199254740992'],
  ])
  t.end()
})

t.test('text as UTF-8, of every length that has its own form', (t) => {
  for (const length of [0, 1, 127, 128, 255, 256, 65_000]) {
    const pair: [string, string] = ['n'.repeat(Math.min(length, 300)), 'ä'.repeat(length / 2)]
    t.strictSame(decoded([pair]), [pair], `${length} bytes`)
  }
  t.end()
})

t.test('an encoded block goes as it is', (t) => {
  const block = Buffer.from([1, 1, 65, 66])
  t.equal(encodeParams(block), block)
  t.end()
})

t.test('a NUL is refused: it would end the name or the value for a program in C', (t) => {
  t.throws(() => encodeParams({ 'A\0B': 'c' }), { code: 'FCGI_PROTOCOL', message: /NUL/ })
  t.throws(() => encodeParams({ A: 'b\0c' }), { code: 'FCGI_PROTOCOL', message: /"A"/ })
  t.end()
})

t.test('a pair over the size of a record is refused, with its name', (t) => {
  t.throws(() => encodeParams({ HTTP_COOKIE: 'x'.repeat(66_000) }), {
    code: 'FCGI_PARAMS_TOO_LARGE',
    message: /HTTP_COOKIE/,
  })
  t.end()
})

t.test('added params replace those of the same name, and others stay as they are', (t) => {
  const latin1: Array<[string, string]> = [['PATH_INFO', '/caf\u00e9']]
  const old: Array<[string, string]> = [
    ['T', 'old'],
    ['A', '1'],
    ['T', 'older'],
    ['A', '2'],
  ]
  const expected = [
    ['A', '1'],
    ['A', '2'],
    ['T', 'gr\u00fcn'],
    ['U', ''],
  ]
  const added = new Map([
    ['T', 'gr\u00fcn'],
    ['U', ''],
  ])
  for (const params of [old, encodeNameValues(old)])
    t.strictSame(decoded(addParams(params, added)), expected)
  const block = encodeNameValues([...latin1, ['T', 'x']], 'latin1')
  const [path] = decodeNameValues(encodeParams(addParams(block, added)), 'latin1')
  t.strictSame(path, latin1[0], 'bytes are not changed')
  t.end()
})
