/** Several clients that miss at once. */
import { MemoryCacheStore, SharedCache } from '@fastcgi/cache'
import t from 'tap'
import { ask, Origin, settled } from './origin.ts'

const FRESH = ['Cache-Control', 'max-age=60']

t.test('one asks, and all get the response as it comes', async (t) => {
  const cache = new SharedCache()
  const origin = new Origin()
  const clients = Array.from({ length: 1000 }, () => ask(cache, origin))
  t.equal(origin.asked.length, 1)
  const stream = origin.last.answer([...FRESH, 'X-A', '1'])
  t.ok(
    clients.every(({ answer }) => answer?.status === 200),
    'the head comes to all at once',
  )
  stream.write('one,')
  await settled()
  const late = ask(cache, origin)
  stream.end('two')
  const texts = await Promise.all([...clients, late].map((client) => client.text()))
  t.ok(texts.every((text) => text === 'one,two'))
  t.equal(late.cacheStatus, 'FastCGI; fwd=uri-miss; collapsed')
  t.equal(late.field('x-a'), '1')
  await settled()
  t.match(ask(cache, origin).cacheStatus, /hit/)
  t.match(cache.stats, { coalesced: 1000, misses: 1, stored: 1, hits: 1 })
})

t.test('a response that cannot be shared: each asks for itself, at once', async (t) => {
  for (const fields of [
    ['Cache-Control', 'private'],
    [...FRESH, 'Set-Cookie', 'a=1'],
  ]) {
    const cache = new SharedCache()
    const origin = new Origin()
    const clients = Array.from({ length: 10 }, () => ask(cache, origin))
    origin.last.answer(fields, 'for the first')
    t.equal(await clients[0]?.text(), 'for the first')
    t.equal(origin.asked.length, 10)
    t.equal(clients[1]?.answer, undefined)
    for (const [at, asked] of origin.asked.slice(1).entries()) asked.answer(fields, `for ${at}`)
    const texts = await Promise.all(clients.slice(1).map((client) => client.text()))
    t.same(new Set(texts).size, 9)
    ask(cache, origin)
    ask(cache, origin)
    t.equal(origin.asked.length, 12, 'later ones do not wait either')
  }
})

t.test('cookies that an option ignores go to the first client only', async (t) => {
  const cache = new SharedCache({ ignore: ['set-cookie'] })
  const origin = new Origin()
  const [first, second] = [ask(cache, origin), ask(cache, origin)]
  origin.last.answer([...FRESH, 'Set-Cookie', 'a=1'], 'body')
  t.equal(first.field('set-cookie'), 'a=1')
  t.equal(second.field('set-cookie'), undefined)
  await settled()
  t.equal(ask(cache, origin).field('set-cookie'), undefined)
})

t.test('the cookie of a 304 goes to the client only that it was made for', async (t) => {
  const cache = new SharedCache({ ignore: ['set-cookie'] })
  const origin = new Origin()
  ask(cache, origin)
  origin.last.answer(['Cache-Control', 'max-age=60', 'Age', '100', 'ETag', '"1"'], 'body')
  await settled()
  const [first, second] = [ask(cache, origin), ask(cache, origin)]
  origin.last.answer([...FRESH, 'ETag', '"1"', 'Set-Cookie', 'a=1'], null, 304)
  t.equal(first.field('set-cookie'), 'a=1')
  t.equal(await second.text(), 'body')
  t.equal(second.field('set-cookie'), undefined)
  await settled()
  const later = ask(cache, origin)
  t.match(later.cacheStatus, /hit/)
  t.equal(later.field('set-cookie'), undefined)
})

t.test('one client cannot keep the others from sharing', async (t) => {
  const cache = new SharedCache()
  const origin = new Origin()
  for (const headers of [{ 'cache-control': 'no-store' }, { authorization: 'Basic x' }]) {
    ask(cache, origin, { headers })
    origin.last.answer(FRESH, 'body')
  }
  const before = origin.asked.length
  ask(cache, origin)
  ask(cache, origin)
  t.equal(origin.asked.length, before + 1)
})

t.test(
  'requests with Authorization do not wait for each other, unless their response was for all',
  async (t) => {
    const cache = new SharedCache()
    const origin = new Origin()
    const get = (user: string) => ask(cache, origin, { headers: { authorization: user } })
    get('a')
    get('b')
    t.equal(origin.asked.length, 2)
    origin.last.answer(['Cache-Control', 'public, max-age=0', 'ETag', '"1"'], 'body')
    await settled()
    const [first, second] = [get('c'), get('d')]
    t.equal(origin.asked.length, 3)
    origin.last.answer(['Cache-Control', 'public, max-age=60'], 'new')
    t.same([await first.text(), await second.text()], ['new', 'new'])
  },
)

t.test('the first fails: the next asks, and a failure ends after two', async (t) => {
  const cache = new SharedCache()
  const origin = new Origin()
  const clients = Array.from({ length: 5 }, () => ask(cache, origin))
  origin.last.fail(new Error('first'))
  t.match(clients[0]?.error, { message: 'first' })
  t.equal(origin.asked.length, 2)
  origin.last.answer(FRESH, 'body')
  t.equal(await clients[4]?.text(), 'body')

  const others = Array.from({ length: 5 }, () => ask(cache, origin, { path: '/other' }))
  origin.last.fail(new Error('first'))
  origin.last.fail(new Error('second'))
  t.equal(origin.asked.length, 2 + 2 + 3, 'then each asks for itself')
  for (const asked of origin.asked.slice(-3)) asked.fail(new Error('third'))
  t.ok(others.every(({ error }) => error instanceof Error))
})

t.test('the first goes: the others still get the response', async (t) => {
  const cache = new SharedCache()
  const origin = new Origin()
  const [first, second] = [ask(cache, origin), ask(cache, origin)]
  cache.leave(first.waiting)
  t.notOk(origin.last.isAborted)
  origin.last.answer(FRESH, 'body')
  t.equal(await second.text(), 'body')
  t.equal(first.answer, undefined)

  const [third, fourth] = [ask(cache, origin, { path: '/b' }), ask(cache, origin, { path: '/b' })]
  cache.leave(third.waiting)
  cache.leave(fourth.waiting)
  t.ok(origin.last.isAborted, 'nobody waits any more')
  ask(cache, origin, { path: '/b' })
  t.equal(origin.asked.length, 3)
})

t.test('the first goes while the body comes: it is stored', async (t) => {
  const cache = new SharedCache()
  const origin = new Origin()
  const first = ask(cache, origin)
  const stream = origin.last.answer(FRESH)
  const body = first.answer?.body
  if (body === null || body === undefined || Buffer.isBuffer(body)) throw new Error('no stream')
  body.destroy()
  stream.end('body')
  await settled()
  t.equal(await ask(cache, origin).text(), 'body')
})

t.test('a body that breaks off: nothing is stored, and nobody takes it for whole', async (t) => {
  const cache = new SharedCache()
  const origin = new Origin()
  const clients = [ask(cache, origin), ask(cache, origin)]
  const stream = origin.last.answer(FRESH)
  stream.write('half')
  await settled()
  stream.destroy(new Error('broken'))
  for (const client of clients) await t.rejects(client.text(), { message: 'broken' })
  await settled()
  t.equal(cache.usage?.entries, 0)
  ask(cache, origin)
  t.equal(origin.asked.length, 2)
})

t.test('a slow client slows nobody, and memory stays bounded', async (t) => {
  const limit = 100_000
  const cache = new SharedCache({ maxBodySize: limit })
  const origin = new Origin()
  const [slow, fast] = [ask(cache, origin), ask(cache, origin)]
  const stream = origin.last.answer(FRESH)
  for (let chunk = 0; chunk < 9; chunk++) stream.write(Buffer.alloc(10_000, 'a'))
  stream.end()
  t.equal((await fast.text()).length, 90_000, 'while the other has read nothing')
  t.equal((await slow.text()).length, 90_000)

  const [idle, reading] = [ask(cache, origin, { path: '/b' }), ask(cache, origin, { path: '/b' })]
  const long = origin.last.answer(FRESH)
  let sent = 0
  const write = (): void => {
    while (sent < 50 && long.write(Buffer.alloc(10_000, 'b'))) sent++
    if (sent < 50) long.once('drain', write)
    else long.end()
  }
  write()
  const whole = reading.text()
  await settled()
  t.ok(sent * 10_000 < limit + 200_000, `a longer one waits for the slowest: ${sent}`)
  t.equal(ask(cache, origin, { path: '/b' }).answer, undefined, 'it cannot be joined any more')
  const [a, b] = await Promise.all([idle.text(), whole])
  t.equal(a.length, b.length)
  t.ok(a.length >= 500_000)
  await settled()
  t.equal(cache.usage?.entries, 1)
})

t.test('variants: who wants another one asks', async (t) => {
  const cache = new SharedCache()
  const origin = new Origin()
  const get = (language: string) => ask(cache, origin, { headers: { 'accept-language': language } })
  const clients = [get('en'), get('de'), get('en'), get('de')]
  t.equal(origin.asked.length, 1, 'it is not known yet that they differ')
  origin.asked[0]?.answer([...FRESH, 'Vary', 'Accept-Language'], 'en')
  t.equal(await clients[2]?.text(), 'en')
  t.equal(origin.asked.length, 2)
  t.equal(clients[1]?.answer, undefined)
  origin.asked[1]?.answer([...FRESH, 'Vary', 'Accept-Language'], 'de')
  t.equal(await clients[3]?.text(), 'de')
  await cache.purge({ all: true })
  get('en')
  get('de')
  t.equal(origin.asked.length, 4, 'now it is known')
})

t.test('who has waited for lockTimeout asks', async (t) => {
  const cache = new SharedCache({ lockTimeout: 10 })
  const origin = new Origin()
  const [, second] = [ask(cache, origin), ask(cache, origin)]
  const deadline = setTimeout(() => t.fail('it did not ask'), 20_000)
  while (origin.asked.length < 2) await new Promise(setImmediate)
  clearTimeout(deadline)
  origin.last.answer(FRESH, 'second')
  t.equal(await second?.text(), 'second')
})

t.test('without lock each asks', async (t) => {
  const cache = new SharedCache({ lock: false, store: new MemoryCacheStore() })
  const origin = new Origin()
  ask(cache, origin)
  ask(cache, origin)
  t.equal(origin.asked.length, 2)
})
