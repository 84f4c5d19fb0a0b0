/** One request after the other: hits, revalidation, stale responses, invalidation, purging. */
import { CACHE_TAGS_FIELD, MemoryCacheStore, PurgeError, SharedCache } from '@fastcgi/cache'
import t from 'tap'
import { ask, Origin, settled } from './origin.ts'

const FRESH = ['Cache-Control', 'max-age=60']
const OLD = ['Cache-Control', 'max-age=60', 'Age', '100']

t.test('a miss, then hits', async (t) => {
  const cache = new SharedCache()
  const origin = new Origin()
  const miss = ask(cache, origin)
  origin.last.answer([...FRESH, 'X-A', '1'], 'body')
  t.equal(await miss.text(), 'body')
  t.equal(miss.cacheStatus, 'FastCGI; fwd=uri-miss; fwd-status=200; stored')
  t.equal(miss.field('age'), undefined)
  await settled()
  const hit = ask(cache, origin, { method: 'HEAD' })
  t.match(hit.cacheStatus, /^FastCGI; hit; ttl=(60|59)$/)
  t.equal(hit.field('x-a'), '1')
  t.equal(hit.field('content-length'), '4')
  t.equal(hit.field('age'), '0')
  t.ok(hit.field('date'))
  t.equal(await hit.text(), 'body')
  t.equal(origin.asked.length, 1)
  t.match(cache.stats, { hits: 1, misses: 1, stored: 1 })
  t.equal(cache.usage?.entries, 1)
  t.equal(cache.fresh(hit.waiting.request)?.status, 200)
})

t.test(
  'conditions of the client are left out of what is asked, and validators put in',
  async (t) => {
    const cache = new SharedCache()
    const origin = new Origin()
    ask(cache, origin, { headers: { 'if-none-match': '"x"', accept: 'a' } })
    t.strictSame(origin.last.fields, { accept: 'a' })
    const changed = new Date(0).toUTCString()
    origin.last.answer(
      [...OLD, 'ETag', '"1"', 'Last-Modified', changed, 'X-A', '1', 'X-B', '1'],
      'one',
    )
    await settled()

    const client = ask(cache, origin, { headers: { range: 'bytes=0-1', 'if-range': '"1"' } })
    t.strictSame(origin.last.fields, { 'if-none-match': '"1"', 'if-modified-since': changed })
    origin.last.answer([...FRESH, 'ETag', '"1"', 'X-A', '2'], null, 304)
    t.equal(await client.text(), 'one')
    t.equal(client.answer?.status, 200)
    t.equal(client.answer?.isWhole, true)
    t.equal(client.field('x-a'), '2', 'the 304 updates fields')
    t.equal(client.field('x-b'), '1', 'and keeps others')
    t.equal(client.cacheStatus, 'FastCGI; fwd=stale; fwd-status=304; stored')
    await settled()
    t.match(ask(cache, origin).cacheStatus, /hit/, 'and its freshness')
    t.equal(origin.asked.length, 2)
  },
)

t.test('a 304 about another version is not taken', async (t) => {
  const cache = new SharedCache()
  const origin = new Origin()
  ask(cache, origin)
  origin.last.answer([...OLD, 'ETag', '"1"'], 'one')
  await settled()
  const client = ask(cache, origin)
  origin.last.answer(['ETag', '"2"'], null, 304)
  t.equal(client.answer, undefined)
  t.strictSame(origin.last.fields, {}, 'it is asked again, without validators')
  origin.last.answer(FRESH, 'two')
  t.equal(await client.text(), 'two')
})

t.test('a stale response while a new one is fetched', async (t) => {
  const cache = new SharedCache({ staleWhileRevalidate: 1e6 })
  const origin = new Origin()
  ask(cache, origin)
  origin.last.answer(OLD, 'old')
  await settled()
  for (let client = 0; client < 3; client++) {
    const stale = ask(cache, origin)
    t.equal(await stale.text(), 'old')
    t.match(stale.cacheStatus, /^FastCGI; hit; ttl=-\d+; detail=updating$/)
  }
  t.equal(origin.asked.length, 2, 'by one request')
  origin.last.answer(FRESH, 'new')
  await settled()
  t.equal(await ask(cache, origin).text(), 'new')
  t.match(cache.stats, { updating: 3, hits: 1, misses: 1 })
})

t.test('a stale response in place of an error', async (t) => {
  for (const fail of [
    (origin: Origin) => origin.last.fail(new Error('gone')),
    (origin: Origin) => void origin.last.answer([], 'broken', 503),
  ]) {
    const cache = new SharedCache()
    const origin = new Origin()
    ask(cache, origin)
    origin.last.answer(['Cache-Control', 'max-age=60', 'Age', '61'], 'old')
    await settled()
    const client = ask(cache, origin)
    fail(origin)
    t.equal(await client.text(), 'old')
    t.equal(cache.stats.stale, 1)
  }
  for (const forbidden of ['must-revalidate', 'proxy-revalidate', 's-maxage=60', 'no-cache']) {
    const cache = new SharedCache()
    const origin = new Origin()
    ask(cache, origin)
    origin.last.answer(
      ['Cache-Control', `max-age=60, ${forbidden}`, 'Age', '61', 'ETag', '"a"'],
      'old',
    )
    await settled()
    const client = ask(cache, origin)
    origin.last.fail(new Error('gone'))
    t.match(client.error, { message: 'gone' }, forbidden)
  }
})

t.test('variants', async (t) => {
  const cache = new SharedCache()
  const origin = new Origin()
  const get = (language: string, cookie = 'a') =>
    ask(cache, origin, { headers: { 'accept-language': language, cookie } })
  for (const language of ['en', 'de']) {
    get(language)
    origin.last.answer([...FRESH, 'Vary', 'Accept-Language'], language)
    await settled()
  }
  t.equal(await get('en').text(), 'en')
  t.equal(await get('DE').text(), 'de')
  t.equal(get('fr').answer, undefined)
  t.equal(cache.usage?.entries, 1)
  origin.last.answer([...FRESH, 'Vary', 'Cookie'], 'no more')
  await settled()
  t.equal(get('en', 'b').answer, undefined, 'a changed Vary makes those before unusable')
})

t.test('an unsafe request invalidates', async (t) => {
  const cache = new SharedCache()
  const origin = new Origin()
  const paths = ['/a', '/b?c', '/d', '/e']
  const fill = async (): Promise<void> => {
    for (const path of paths) {
      if (ask(cache, origin, { path }).answer === undefined) origin.last.answer(FRESH, path)
      await settled()
    }
  }
  const left = (): string[] =>
    paths.filter(
      (path) => cache.fresh({ ...ask(cache, origin, { path }).waiting.request }) !== undefined,
    )
  await fill()
  const post = { method: 'POST', origin: 'http://a', path: '/a', headers: {}, isRestricted: false }
  cache.invalidateAfter(post, 500, [])
  t.same(left(), paths)
  cache.invalidateAfter(post, 303, ['Location', '/b?c', 'Content-Location', 'http://a/d'])
  t.same(left(), ['/e'])
  cache.invalidateAfter({ ...post, path: '/x' }, 200, ['Location', 'http://b/e'])
  t.same(left(), ['/e'], 'not what is on another origin')
})

t.test('a response that was under way when its URL was invalidated is not stored', async (t) => {
  const cache = new SharedCache()
  const origin = new Origin()
  const first = ask(cache, origin)
  cache.invalidateAfter({ ...first.waiting.request, method: 'POST' }, 200, [])
  ask(cache, origin)
  t.equal(origin.asked.length, 2, 'and others do not wait for it')
  origin.asked[0]?.answer(FRESH, 'before')
  t.equal(await first.text(), 'before')
  await settled()
  t.equal(cache.usage?.entries, 0)
})

t.test('purging', async (t) => {
  const cache = new SharedCache({ store: new MemoryCacheStore({ maxSize: 1e6 }) })
  const origin = new Origin()
  const fill = async (path: string, ...fields: string[]): Promise<void> => {
    ask(cache, origin, { path })
    origin.last.answer([...FRESH, ...fields], path)
    await settled()
  }
  const all = async (): Promise<number> => {
    await fill('/a', 'Cache-Tag', 'x, y')
    await fill('/b/1', 'Surrogate-Key', 'y z')
    await fill('/b/2', 'xkey', 'z')
    return cache.usage?.entries ?? 0
  }
  const cases = [
    [{ url: '/a' }, 2],
    [{ url: 'http://a/a' }, 2],
    [{ url: 'http://other/a' }, 3],
    [{ prefix: '/b/' }, 1],
    [{ prefix: 'http://a/b/1' }, 2],
    [{ tag: 'y' }, 1],
    [{ tag: 'x' }, 2],
    [{ tag: 'none' }, 3],
    [{ all: true }, 0],
  ] as const
  for (const [selector, left] of cases) {
    await cache.purge({ all: true })
    t.equal(await all(), 3)
    await cache.purge(selector)
    t.equal(cache.usage?.entries, left, JSON.stringify(selector))
  }
  await fill('/a', 'Cache-Tag', 'x')
  t.notOk(
    ask(cache, origin, { path: '/a' }).answer?.fields.some(
      (name) => name.toLowerCase() === CACHE_TAGS_FIELD,
    ),
  )
  const { get, createWriteStream } = MemoryCacheStore.prototype
  const simple = new SharedCache({ store: { get, createWriteStream, delete: () => {} } })
  await t.rejects(simple.purge({ tag: 'x' }), PurgeError)
  await t.rejects(simple.purge({ all: true }), PurgeError)
  await t.resolves(simple.purge({ url: 'http://a/b' }))
})

t.test('what a request asks of a cache', async (t) => {
  const cache = new SharedCache()
  const origin = new Origin()
  const only = ask(cache, origin, { headers: { 'cache-control': 'only-if-cached' } })
  t.equal(only.answer?.status, 504)
  t.equal(origin.asked.length, 0)
  ask(cache, origin)
  origin.last.answer(FRESH, 'one')
  await settled()
  ask(cache, origin, { headers: { 'cache-control': 'no-cache' } })
  t.equal(origin.asked.length, 2)
  const deaf = new SharedCache({ requestDirectives: false })
  ask(deaf, origin)
  origin.last.answer(FRESH, 'one')
  await settled()
  t.match(ask(deaf, origin, { headers: { 'cache-control': 'no-cache' } }).cacheStatus, /hit/)
})

t.test('minUses, noStore, bodies that are too long', async (t) => {
  const origin = new Origin()
  const twice = new SharedCache({ minUses: 2 })
  for (const stored of [0, 1]) {
    ask(twice, origin)
    origin.last.answer(FRESH, 'body')
    await settled()
    t.equal(twice.usage?.entries, stored)
  }
  const short = new SharedCache({ maxBodySize: 3 })
  t.equal(ask(short, origin).answer, undefined)
  origin.last.answer(FRESH, 'body')
  await settled()
  t.equal(short.usage?.entries, 0)
  const refused = ask(short, origin, { path: '/b', refuses: ({ status }) => status === 200 })
  origin.last.answer(FRESH, 'b')
  t.match(refused.cacheStatus, /detail=refused/)
  await settled()
  t.equal(short.usage?.entries, 0)
})
