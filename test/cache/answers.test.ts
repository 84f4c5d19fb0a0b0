/** What clients get from a gateway with a cache, by every adapter. */
import t from 'tap'
import { eachAdapter } from '../helpers/adapters.ts'
import { type Listener, startSite } from '../helpers/cached-app.ts'

/** `/status/404?Cache-Control=max-age=60` answers so, with the number of the request. */
function counting(): Listener {
  let count = 0
  return (req, res) => {
    const url = new URL(req.url ?? '/', 'http://a')
    for (const [name, value] of url.searchParams) res.appendHeader(name, value)
    res.statusCode = Number(/^\/status\/(\d+)/.exec(url.pathname)?.[1] ?? 200)
    res.end(`response ${++count}`)
  }
}

const FRESH = 'Cache-Control=max-age=60'

eachAdapter(t, 'a miss, then hits', async (t, name) => {
  const { app, get } = await startSite(t, name, counting())
  const path = `/a?${FRESH}&ETag="1"&X-A=1&Content-Type=text/plain`
  const miss = await get(path)
  t.equal(miss.body, 'response 1')
  t.match(miss.headers['cache-status'], /^FastCGI; fwd=uri-miss; fwd-status=200; stored$/)
  const hit = await get(path, { Cookie: 'a=1' })
  t.equal(hit.body, 'response 1')
  t.match(hit.headers['cache-status'], /^FastCGI; hit; ttl=\d+$/)
  t.match(hit.headers, { age: /^\d$/, 'content-length': '10', etag: '"1"', 'x-a': '1' })
  t.equal(hit.headers['content-type'], 'text/plain')
  const head = await get(path, {}, 'HEAD')
  t.match(head, { status: 200, body: '', headers: { 'content-length': '10', etag: '"1"' } })
  t.match(await get(path, { 'If-None-Match': '"0", "1"' }), {
    status: 304,
    body: '',
    headers: { etag: '"1"', 'cache-status': /hit/ },
  })
  t.match(await get(path, { Range: 'bytes=-3' }), {
    status: 206,
    body: 'e 1',
    headers: { 'content-range': 'bytes 7-9/10', 'content-length': '3' },
  })
  t.match(await get(path, { Range: 'bytes=20-' }), { status: 416, body: '' })
  t.match(await get(path, { Range: 'bytes=0-0,9-9' }), { status: 206, body: 'response 1' })
  t.equal((await get(path, { Range: 'bytes=0-1', 'If-Range': '"0"' })).status, 200)
  t.equal((await get(path, { 'If-Match': '"0"' })).status, 412)
  t.equal(app.asked.length, 1)
  t.equal((await get(`${path}&b=1`)).body, 'response 2', 'another query')
  t.equal((await get(path, { Host: 'other.org' })).body, 'response 3', 'another host')
})

eachAdapter(t, 'a condition or a range on a miss', async (t, name) => {
  const { app, get } = await startSite(t, name, counting())
  const path = `/a?${FRESH}&ETag="1"`
  const miss = await get(path, { 'If-None-Match': '"1"' })
  t.equal(miss.status, 304)
  t.equal((await get(path)).body, 'response 1', 'the whole response was stored')
  t.match(await get(`/b?${FRESH}`, { Range: 'bytes=0-1' }), { status: 206, body: 're' })
  t.equal((await get(`/b?${FRESH}`)).body, 'response 2')
  t.equal(app.asked.length, 2)
})

eachAdapter(t, 'what is not stored', async (t, name) => {
  const { get } = await startSite(t, name, counting())
  const twice = async (path: string, headers?: Record<string, string>): Promise<boolean> => {
    const first = await get(path, headers)
    return first.body !== '' && first.body === (await get(path, headers)).body
  }
  t.notOk(await twice('/'), 'no freshness')
  t.notOk(await twice(`/?${FRESH}&Set-Cookie=a=1`))
  t.notOk(await twice('/?Cache-Control=private,max-age=60'))
  t.notOk(await twice(`/?${FRESH}&a`, { Authorization: 'Basic YTph' }))
  t.ok(await twice('/?Cache-Control=public,max-age=60', { Authorization: 'Basic YTph' }))
  t.notOk(await twice(`/?${FRESH}&b`, { 'Content-Length': '0', 'Cache-Control': 'no-store' }))
  t.ok(await twice(`/status/404?${FRESH}`))
  t.ok(await twice('/?X-Accel-Expires=60'))
  const accel = await get('/?X-Accel-Expires=60')
  t.equal(accel.headers['x-accel-expires'], undefined)
})

eachAdapter(t, 'unsafe methods go to the application, and invalidate', async (t, name) => {
  const { app, get } = await startSite(t, name, counting())
  const path = `/a?${FRESH}`
  await get(path)
  const post = await get(path, { 'Content-Length': '0' }, 'POST')
  t.match(post, { body: 'response 2', headers: { 'cache-status': 'FastCGI; fwd=method' } })
  t.equal((await get(path)).body, 'response 3')
  t.match(app.asked, [/^GET/, /^POST/, /^GET/])
})

eachAdapter(t, 'revalidation, and an application that has gone', async (t, name) => {
  const { app, get } = await startSite(t, name, (req, res) => {
    res.setHeader('ETag', '"1"').setHeader('Cache-Control', 'max-age=0')
    if (req.headers['if-none-match'] === '"1"') res.writeHead(304, { 'X-Checked': 'yes' }).end()
    else res.end('whole')
  })
  t.equal((await get('/')).body, 'whole')
  const checked = await get('/')
  t.match(checked, { status: 200, body: 'whole', headers: { 'x-checked': 'yes' } })
  t.match(checked.headers['cache-status'], /^FastCGI; fwd=stale; fwd-status=304; stored$/)
  t.equal((await get('/', { 'If-None-Match': '"1"' })).status, 304)
  t.equal(app.asked.length, 3)
  await app.close()
  const stale = await get('/')
  t.match(stale, { status: 200, body: 'whole', headers: { 'cache-status': /detail=error/ } })
})

eachAdapter(t, 'bypass, key, noStore and valid', async (t, name) => {
  const seen: string[] = []
  const cache = {
    bypass: (request: unknown) => {
      const { headers } = request as { headers: Record<string, string> }
      return headers.cookie !== undefined
    },
    noStore: (_request: unknown, { status }: { status: number }) => status === 404,
    key: (request: unknown) => {
      const { headers } = request as { headers: Record<string, string> }
      seen.push(headers.host ?? '')
      return String(headers['x-key'])
    },
    valid: { 200: 60_000, any: 1000 },
  }
  const { get } = await startSite(t, name, counting(), { cache })
  t.equal((await get('/', { Cookie: 'a' })).body, 'response 1')
  t.equal((await get('/a')).body, 'response 2', 'what is bypassed is not stored')
  t.equal((await get('/b')).body, 'response 2', 'the same key')
  t.equal((await get('/b', { Cookie: 'a' })).body, 'response 3')
  t.equal((await get('/b', { 'X-Key': '2' })).body, 'response 4')
  t.equal((await get('/status/404', { 'X-Key': '3' })).body, 'response 5')
  t.equal((await get('/status/404', { 'X-Key': '3' })).body, 'response 6')
  t.match(seen, ['example.org'])
})

eachAdapter(t, 'a function that throws fails its request only', async (t, name) => {
  const cache = {
    bypass: () => {
      throw new Error('bypass is broken')
    },
  }
  const { app, adapter, get } = await startSite(t, name, counting(), { cache })
  t.equal((await get('/')).status, 500)
  t.equal(app.asked.length, 0)
  t.match(adapter.log.join('\n'), /bypass is broken/)
  const other = await startSite(t, name, counting(), {
    cache: {
      noStore: () => {
        throw new Error('noStore is broken')
      },
    },
  })
  t.equal((await other.get(`/?${FRESH}`)).body, 'response 1')
  t.equal((await other.get(`/?${FRESH}`)).body, 'response 2', 'in doubt it is not stored')
  t.match(other.adapter.log.join('\n'), /noStore is broken/)
})

eachAdapter(t, 'PURGE', async (t, name) => {
  const cache = {
    allowPurge: (request: unknown) => {
      const { headers } = request as { headers: Record<string, string> }
      return headers['x-purger'] === 'yes'
    },
  }
  const { app, get } = await startSite(t, name, counting(), { cache })
  const path = `/a?${FRESH}&Surrogate-Key=x`
  await get(path)
  t.equal((await get(path, {}, 'PURGE')).status, 403)
  t.equal((await get(path)).body, 'response 1')
  t.equal((await get(path, { 'X-Purger': 'yes' }, 'PURGE')).status, 200)
  t.equal((await get(path)).body, 'response 2')
  await get('/other', { 'X-Purger': 'yes', 'Surrogate-Key': 'x y' }, 'PURGE')
  t.equal((await get(path)).body, 'response 3')
  t.notOk(app.asked.some((asked) => asked.startsWith('PURGE')))
  const closed = await startSite(t, name, counting())
  await closed.get(path, {}, 'PURGE')
  t.match(closed.app.asked, [/^PURGE/], 'without the option it is a method like any other')
})
