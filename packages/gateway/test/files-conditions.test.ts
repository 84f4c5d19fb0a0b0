/** Static files: validators, and the conditions of requests (RFC 9110 §13). */
import { statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ask, site, stubbed } from './harness.ts'

const CHANGED = new Date('2020-02-03T04:05:06.789Z')
const AT = 'Mon, 03 Feb 2020 04:05:06 GMT'
const BEFORE = 'Mon, 03 Feb 2020 04:05:05 GMT'
const AFTER = 'Mon, 03 Feb 2020 04:05:07 GMT'

function file(t: Test) {
  const root = site(t, 'a.txt')
  const path = join(root, 'a.txt')
  utimesSync(path, CHANGED, CHANGED)
  const { gateway } = stubbed({ root, static: true })
  const get = async (headers: Record<string, string> = {}, method = 'GET') => {
    const { response } = await ask(gateway, '/a.txt', { method, headers })
    const body = response?.body
    if (body && !Buffer.isBuffer(body)) body.destroy()
    const flat = response?.headers ?? []
    const field = (name: string) => flat[flat.indexOf(name) + 1]
    return { status: response?.status, field, names: flat.filter((_, at) => at % 2 === 0) }
  }
  return { path, get }
}

t.test('validators', async (t) => {
  const { path, get } = file(t)
  const { status, field, names } = await get()
  t.equal(status, 200)
  t.strictSame(names, [
    'Cache-Control',
    'Content-Type',
    'ETag',
    'Last-Modified',
    'Accept-Ranges',
    'Content-Length',
  ])
  t.equal(field('Last-Modified'), AT)
  const { mtimeNs, size } = statSync(path, { bigint: true })
  const etag = `"${size.toString(16)}-${mtimeNs.toString(16)}"`
  t.equal(field('ETag'), etag, 'strong: If-Range needs it')
  utimesSync(path, CHANGED, new Date(CHANGED.getTime() + 1))
  t.not((await get()).field('ETag'), etag, 'another within the same second')
  writeFileSync(path, 'just written')
  t.match((await get()).field('ETag'), /^W\/"c-[0-9a-f]+"$/, 'weak: it may change again at once')
  t.equal((await get({ 'if-none-match': (await get()).field('ETag') ?? '' })).status, 304)
})

t.test('conditions and their precedence', async (t) => {
  const { get } = file(t)
  const etag = (await get()).field('ETag') ?? ''
  const cases: Array<[status: number, conditions: Record<string, string>, why?: string]> = [
    [304, { 'if-none-match': etag }],
    [304, { 'if-none-match': `W/${etag}` }, 'compared weakly'],
    [304, { 'if-none-match': `"a,b", ${etag}, "c"` }],
    [304, { 'if-none-match': ' * ' }],
    [200, { 'if-none-match': '"other"' }],
    [200, { 'if-none-match': etag.slice(1, -1) }, 'without quotes it is no ETag'],
    [
      200,
      { 'if-none-match': '"other"', 'if-modified-since': AFTER },
      'the date does not count then',
    ],
    [304, { 'if-none-match': etag, 'if-modified-since': BEFORE }],
    [304, { 'if-modified-since': AT }],
    [304, { 'if-modified-since': AFTER }],
    [304, { 'if-modified-since': 'Monday, 03-Feb-20 04:05:06 GMT' }],
    [304, { 'if-modified-since': 'Mon Feb  3 04:05:06 2020' }],
    [200, { 'if-modified-since': BEFORE }],
    [200, { 'if-modified-since': 'Mon Feb  3 04:05:05 2020' }],
    [200, { 'if-modified-since': 'yesterday' }],
    [200, { 'if-modified-since': '2030' }],
    [200, { 'if-match': etag }],
    [200, { 'if-match': '*' }],
    [200, { 'if-match': `"x", ${etag}` }],
    [412, { 'if-match': '"other"' }],
    [412, { 'if-match': `W/${etag}` }, 'compared strongly'],
    [412, { 'if-match': '"other"', 'if-unmodified-since': AFTER }],
    [200, { 'if-match': etag, 'if-unmodified-since': BEFORE }, 'the date does not count then'],
    [412, { 'if-match': '"other"', 'if-none-match': etag }, 'If-Match comes first'],
    [304, { 'if-match': etag, 'if-none-match': etag }],
    [200, { 'if-unmodified-since': AT }],
    [412, { 'if-unmodified-since': BEFORE }],
    [200, { 'if-unmodified-since': 'never' }],
    [412, { 'if-unmodified-since': BEFORE, 'if-modified-since': AT }],
  ]
  for (const [status, conditions, why] of cases)
    for (const method of ['GET', 'HEAD'])
      t.equal(
        (await get(conditions, method)).status,
        status,
        `${JSON.stringify(conditions)} ${why}`,
      )
})

t.test('what a response without the body says', async (t) => {
  const { get } = file(t)
  const { names, field } = await get({ 'if-modified-since': AT })
  t.strictSame(names, ['Cache-Control', 'ETag', 'Last-Modified', 'Accept-Ranges'])
  t.equal(field('Last-Modified'), AT)
  const failed = await get({ 'if-match': '"other"' })
  t.strictSame(failed.names.slice(-2), ['Accept-Ranges', 'Content-Length'])
  t.equal(failed.field('Content-Length'), '0')
})

t.test('If-Range', async (t) => {
  const { path, get } = file(t)
  const etag = (await get()).field('ETag') ?? ''
  const status = async (ifRange: string, conditions = {}) =>
    (await get({ range: 'bytes=0-1', 'if-range': ifRange, ...conditions })).status
  t.equal(await status(etag), 206)
  t.equal(await status(AT), 206)
  t.equal(await status('Mon Feb  3 04:05:06 2020'), 206)
  for (const other of ['"other"', `W/${etag}`, BEFORE, AFTER, 'nonsense', `${etag}, "b"`, '*'])
    t.equal(await status(other), 200, other)
  t.equal(await status(etag, { 'if-none-match': etag }), 304, 'If-None-Match comes first')
  t.equal(await status(etag, { 'if-match': '"other"' }), 412)
  t.equal(await status('"other"', { range: 'bytes=5000-' }), 200, 'and not 416')
  writeFileSync(path, 'just written')
  const weak = (await get()).field('ETag') ?? ''
  t.equal(await status(weak), 200, 'a weak one is never the same byte by byte')
})
