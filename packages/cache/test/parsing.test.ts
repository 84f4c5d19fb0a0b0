/** The grammar of Cache-Control, CDN-Cache-Control, dates and Vary. */
import { parseHttpDate } from '@fastcgi/cache'
import t from 'tap'
import { parseDirectives, parseTargeted, selectionOf, selects, varyNames } from './internals.ts'

t.test('Cache-Control', async (t) => {
  const cases: ReadonlyArray<readonly [string | undefined, object]> = [
    [undefined, {}],
    ['max-age=60', { 'max-age': 60 }],
    ['MaX-aGe=60, PUBLIC', { 'max-age': 60, public: true }],
    ['max-age="60"', { 'max-age': 60 }],
    ['max-age=003600', { 'max-age': 3600 }],
    ['max-age=99999999999', { 'max-age': 2 ** 31 }],
    ["max-age='60'", { 'max-age': 0 }],
    ['max-age=-1', { 'max-age': 0 }],
    ['max-age=60.5', { 'max-age': 0 }],
    ['max-age=60a', { 'max-age': 0 }],
    ['max-age =60', { 'max-age': 0 }],
    ['max-age', { 'max-age': 0 }],
    ['max-age=1, max-age=60', { 'max-age': 1 }],
    ['x="max-age=60", max-age=1', { 'max-age': 1 }],
    ['x="a\\", no-store", max-age=1', { 'max-age': 1 }],
    ['no-cache, no-store', { 'no-cache': true, 'no-store': true }],
    ['no-cache="Set-Cookie, X-A"', { 'no-cache': ['set-cookie', 'x-a'] }],
    ['private=""', { private: true }],
    ['private="a"', { private: ['a'] }],
    ['max-stale', { 'max-stale': 2 ** 31 }],
    [' , ,must-revalidate,', { 'must-revalidate': true }],
    ['constructor=1, __proto__=2', {}],
  ]
  for (const [field, expected] of cases) t.same(parseDirectives(field), expected, `${field}`)
})

t.test('CDN-Cache-Control', async (t) => {
  const cases: ReadonlyArray<readonly [string | undefined, object | undefined]> = [
    [undefined, undefined],
    ['', undefined],
    ['max-age=60', { 'max-age': 60 }],
    ['max-age=60;x=1, public', { 'max-age': 60, public: true }],
    ['max-age=60, a="b, c"', undefined],
    ['no-store, foo=bar', { 'no-store': true }],
    ['no-store=?0, max-age=1', { 'max-age': 1 }],
    ['max-age=10000, &&&&&', undefined],
    ['max-age="10000"', undefined],
    ['max-age=1.5', undefined],
    ['Max-Age=1', undefined],
    ['max-age =1', undefined],
  ]
  for (const [field, expected] of cases) t.same(parseTargeted(field), expected, `${field}`)
})

t.test('dates', async (t) => {
  const time = Date.UTC(1994, 10, 6, 8, 49, 37)
  for (const valid of [
    'Sun, 06 Nov 1994 08:49:37 GMT',
    'sun, 06 NOV 1994 08:49:37 gmt',
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sun Nov  6 08:49:37 1994',
  ])
    t.equal(parseHttpDate(valid), time, valid)
  for (const invalid of [
    '0',
    '',
    'Sun, 06 Nov 1994 08:49:37 UTC',
    'Sun, 06 Nov 1994 08:49:37 +0000',
    'Sun 06 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 94 08:49:37 GMT',
    'Sun, 06  Nov 1994 08:49:37 GMT',
    'Sun, 06-Nov-1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 08.49.37 GMT',
    'Sun, 06 Nov 1994 8:49:37 GMT',
  ])
    t.equal(parseHttpDate(invalid), undefined, invalid)
  const century = new Date().getUTCFullYear() % 100
  const soon = parseHttpDate(`Sunday, 06-Nov-${String(century).padStart(2, '0')} 00:00:00 GMT`)
  t.equal(new Date(soon ?? 0).getUTCFullYear() % 100, century)
})

t.test('Vary', async (t) => {
  t.same(varyNames([]), [])
  t.same(varyNames(['Vary', 'A, b', 'vary', ' a ,']), ['a', 'b'])
  for (const star of ['*', '*, *', ', *', 'Foo, *', '*, Foo'])
    t.equal(varyNames(['Vary', star]), undefined, star)
  t.equal(varyNames(['Vary', '', 'Vary', '*']), undefined)
  const selection = selectionOf(['a', 'accept-language', 'b'], {
    a: '1, 2',
    'accept-language': 'de, EN; q=0.5',
  })
  t.same(selection, { a: '1,2', 'accept-language': 'de,en;q=0.5', b: null })
  t.ok(selects(selection, { a: [' 1', '2 '], 'accept-language': 'DE,en;q=0.5' }))
  t.notOk(selects(selection, { a: '2,1', 'accept-language': 'de,en;q=0.5' }))
  t.notOk(selects(selection, { a: '1,2', 'accept-language': 'de,en;q=0.5', b: '' }))
  t.notOk(selects(selection, { a: '1,2' }))
  t.ok(selects(undefined, {}))
})
