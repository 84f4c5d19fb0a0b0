/** Stores that do wrong, and the bounds of the one in memory. */
import { Readable, Writable } from 'node:stream'
import {
  type CacheKey,
  type CacheResult,
  type CacheStore,
  MemoryCacheStore,
  SharedCache,
} from '@fastcgi/cache'
import t, { type Test } from 'tap'
import { ask, Origin, settled } from './origin.ts'

const FRESH = ['Cache-Control', 'max-age=60']

/** A store that does nothing but what it is told. */
function store(does: Partial<CacheStore>): CacheStore {
  return { get: () => undefined, createWriteStream: () => undefined, delete: () => {}, ...does }
}

const fails = (): never => {
  throw new Error('out of order')
}

async function getsAnAnswer(t: Test, given: CacheStore): Promise<string[]> {
  const reports: string[] = []
  const cache = new SharedCache(
    { store: given, storeTimeout: 20 },
    (text) => void reports.push(text),
  )
  for (let client = 0; client < 3; client++) {
    const origin = new Origin()
    const got = ask(cache, origin)
    const deadline = setTimeout(() => t.fail('no answer'), 20_000)
    while (origin.asked.length === 0 && got.answer === undefined) await new Promise(setImmediate)
    clearTimeout(deadline)
    if (origin.asked.length > 0) origin.last.answer(FRESH, 'body')
    t.equal(await got.text(), 'body')
    await settled()
  }
  const other = { method: 'POST', origin: 'http://a', path: '/', headers: {}, isRestricted: false }
  cache.invalidateAfter(other, 200, [])
  const deadline = setTimeout(() => t.fail('no report'), 20_000)
  while (reports.length === 0) await new Promise(setImmediate)
  clearTimeout(deadline)
  return reports
}

t.test('what a store does wrong is a miss, and is reported once', async (t) => {
  const never = new Promise<undefined>(() => {})
  const broken = () => new Writable({ write: (_chunk, _encoding, done) => done(new Error('full')) })
  const value = { statusCode: 200, statusMessage: '', headers: {}, cacheControlDirectives: {} }
  const times = { cachedAt: Date.now(), staleAt: Date.now() + 1e6, deleteAt: Date.now() + 1e6 }
  const result = (body: CacheResult['body']): CacheResult => ({ ...value, ...times, body })
  const cases: ReadonlyArray<readonly [string, Partial<CacheStore>, RegExp]> = [
    ['get throws', { get: fails }, /\(get\): out of order/],
    ['get rejects', { get: async () => fails() }, /\(get\): out of order/],
    ['get never ends', { get: () => never }, /\(get\): no answer in 20 ms/],
    ['createWriteStream throws', { createWriteStream: fails }, /\(write\): out of order/],
    ['the write fails', { createWriteStream: broken }, /\(write\): full/],
    [
      'the write never ends',
      { createWriteStream: () => new Writable({ write: () => {} }) },
      /no answer/,
    ],
    ['delete throws', { delete: fails }, /\(delete\): out of order/],
    ['delete rejects', { delete: async () => fails() }, /\(delete\): out of order/],
    ['a body that breaks off', { get: () => result(Readable.from(brokenOff())) }, /\(get\): lost/],
    ['a body that is too long', { get: () => result(Readable.from(endless())) }, /longer than/],
  ]
  for (const [name, does, message] of cases)
    await t.test(name, async (t) => {
      const reports = await getsAnAnswer(t, store(does))
      t.equal(reports.length, 1, 'once a minute')
      t.match(reports[0], message)
    })
})

async function* brokenOff(): AsyncGenerator<Buffer> {
  yield Buffer.from('half')
  throw new Error('lost')
}

async function* endless(): AsyncGenerator<Buffer> {
  for (;;) yield Buffer.alloc(1_000_000)
}

t.test('all forms of bodies', async (t) => {
  const times = { cachedAt: Date.now(), staleAt: Date.now() + 1e6, deleteAt: Date.now() + 1e6 }
  const bodies: ReadonlyArray<CacheResult['body']> = [
    'whole',
    Buffer.from('whole'),
    ['who', 'le'],
    [Buffer.from('who'), new Uint8Array(Buffer.from('le'))],
    Readable.from(['who', 'le']),
  ]
  for (const body of bodies) {
    const result = {
      statusCode: 200,
      statusMessage: '',
      headers: { a: ['1', '2'] },
      ...times,
      body,
    }
    const cache = new SharedCache({ store: store({ get: async () => result }) })
    const client = ask(cache, new Origin())
    await settled()
    t.equal(await client.text(), 'whole')
    t.equal(client.field('content-length'), '5')
  }
})

t.test('what a store of others is asked', async (t) => {
  const keys: CacheKey[] = []
  const cache = new SharedCache({
    store: store({
      get: (key) => void keys.push(key),
      delete: (key) => void keys.push(key),
    }),
  })
  ask(cache, new Origin(), {
    path: '/*a',
    headers: { 'accept-language': ' DE,  en', a: ['1', '2'] },
  })
  await cache.purge({ url: 'http://a/*a' })
  t.same(keys[0], {
    origin: 'http://a',
    method: 'GET',
    path: '/#2Aa',
    headers: { 'accept-language': 'de,en', a: '1,2' },
  })
  t.equal(keys[1]?.path, '/#2Aa')
})

t.test('memory is bounded, and the least recently used goes first', async (t) => {
  const memory = new MemoryCacheStore({ maxSize: 50_000 })
  const cache = new SharedCache({ store: memory })
  const origin = new Origin()
  const get = async (path: string): Promise<boolean> => {
    const before = origin.asked.length
    ask(cache, origin, { path })
    if (origin.asked.length === before) return true
    origin.last.answer(FRESH, 'x'.repeat(10_000))
    await settled()
    return false
  }
  for (const path of ['/1', '/2', '/3', '/4']) t.notOk(await get(path))
  t.ok(await get('/1'))
  t.notOk(await get('/5'))
  t.ok(await get('/1'))
  t.notOk(await get('/2'), 'it was used least recently')
  t.ok(memory.size <= 50_000)
  t.equal(memory.count, 4)
  ask(cache, origin, { path: '/long' })
  origin.last.answer(FRESH, 'x'.repeat(60_000))
  await settled()
  t.equal(memory.count, 4, 'one that is too long changes nothing')
})

t.test('variants of one URL are bounded', async (t) => {
  const memory = new MemoryCacheStore()
  const cache = new SharedCache({ store: memory })
  const origin = new Origin()
  for (let variant = 0; variant < 150; variant++) {
    ask(cache, origin, { headers: { 'user-agent': `${variant}` } })
    origin.last.answer([...FRESH, 'Vary', 'User-Agent'], 'body')
    await settled()
  }
  const isStored = (variant: number): boolean =>
    ask(cache, origin, { headers: { 'user-agent': `${variant}` } }).answer !== undefined
  t.ok(isStored(149))
  t.ok(isStored(50))
  t.notOk(isStored(49))
})
