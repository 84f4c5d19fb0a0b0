/** Many clients that want the same at once, by every adapter. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import t from 'tap'
import { eachAdapter, startAdapter } from '../helpers/adapters.ts'
import { cachedOptions, startApp, startSite } from '../helpers/cached-app.ts'
import { NEEDS_FPM, phpFpm } from '../helpers/php-site.ts'
import { rawConnect, rawGet } from '../helpers/raw-http.ts'
import { until, within } from '../helpers/wait.ts'

const CLIENTS = 1000

eachAdapter(t, '1000 misses run a script of PHP once', async (t, name) => {
  t.test('php-fpm', NEEDS_FPM, async (t) => {
    const root = t.testdir({
      'slow.php': `<?php file_put_contents(__DIR__ . '/runs', 'x', FILE_APPEND); usleep(300000);
        header('Cache-Control: max-age=60'); echo 'run ', filesize(__DIR__ . '/runs');`,
    })
    const php = await phpFpm(t)
    const adapter = await startAdapter(t, name, { upstream: php.address, root, cache: true })
    const answers = await Promise.all(
      Array.from({ length: CLIENTS }, () => rawGet(adapter.port, '/slow.php')),
    )
    const bodies = answers.map(({ status, body }) => `${status} ${body}`)
    t.same([...new Set(bodies)], ['200 run 1'])
  })
})

eachAdapter(t, 'the others stream along, and do not depend on the first', async (t, name) => {
  const responses: ServerResponse[] = []
  const { app, adapter, get } = await startSite(t, name, (_req, res) => void responses.push(res))
  const first = await rawConnect(adapter.port)
  first.on('error', () => {})
  first.write('GET /a HTTP/1.1\r\nHost: example.org\r\n\r\n')
  await until('the first request', () => responses.length === 1)
  const others = Array.from({ length: 5 }, () => get('/a'))
  const watched = await rawConnect(adapter.port)
  watched.write('GET /a HTTP/1.1\r\nHost: example.org\r\n\r\n')
  const stats = () => adapter.cache?.stats
  await until('the others to wait', () => stats()?.coalesced === 6)
  const [response] = responses
  response?.setHeader('Cache-Control', 'max-age=60').write('begin,')
  const [head] = await within('the head and the beginning', once(watched, 'data'))
  t.match(String(head), /^HTTP\/1.1 200/)
  first.destroy()
  await within('the first to go', once(first, 'close'))
  response?.end('end')
  for (const { body } of await Promise.all(others)) t.match(body, /begin,[\s\S]*end/)
  watched.destroy()
  t.equal(app.asked.length, 1)
  await until('the response to be stored', () => stats()?.stored === 1)
  const hit = await get('/a')
  t.match(hit, { body: 'begin,end', headers: { 'cache-status': /hit/ } })
})

eachAdapter(t, 'a response that breaks off is nobody’s whole response', async (t, name) => {
  const responses: ServerResponse[] = []
  const { app, adapter, get } = await startSite(t, name, (_req, res) => void responses.push(res))
  const clients = Array.from({ length: 5 }, () => get('/a'))
  await until('the request', () => responses.length === 1)
  responses[0]?.setHeader('Cache-Control', 'max-age=60').write('half')
  await until('the head to arrive', () => adapter.cache?.stats.misses === 1)
  responses[0]?.destroy()
  for (const { text } of await Promise.all(clients))
    t.notMatch(text, /\r\n0\r\n\r\n$/, 'the last chunk is missing')
  const again = get('/a')
  await until('another request', () => responses.length === 2)
  responses[1]?.setHeader('Cache-Control', 'max-age=60').end('whole')
  t.match((await again).text, /whole/)
  t.equal(app.asked.length, 2)
})

eachAdapter(
  t,
  'an application that answers nothing: one client asks after another',
  async (t, name) => {
    let count = 0
    const { get } = await startSite(t, name, (req, res) => {
      if (++count === 1) req.socket.destroy()
      else res.setHeader('Cache-Control', 'max-age=60').end('second')
    })
    const answers = await Promise.all(Array.from({ length: 5 }, () => get('/a', {}, 'GET')))
    const good = answers.filter(({ status }) => status === 200)
    t.ok(good.length >= 4, 'at most the first fails')
    t.ok(good.every(({ body }) => body === 'second'))
  },
)

t.test('the asynchronous context is that of the request', async (t) => {
  const responses: ServerResponse[] = []
  const app = await startApp(t, (_req, res) => void responses.push(res))
  const store = new AsyncLocalStorage<string>()
  const seen: string[] = []
  const adapter = await startAdapter(t, 'fastify', {
    ...cachedOptions(app),
    fastify: (instance) => {
      instance.addHook('onRequest', (request, _reply, done) =>
        store.run(String(request.headers['x-name']), done),
      )
      instance.addHook('onSend', (request, _reply, payload, done) => {
        seen.push(`${request.headers['x-name']} ${store.getStore()}`)
        done(null, payload)
      })
    },
  })
  const clients = ['a', 'b', 'c'].map((name) => rawGet(adapter.port, '/', [`X-Name: ${name}`]))
  await until('the request', () => responses.length === 1)
  await until('the others to wait', () => adapter.cache?.stats.coalesced === 2)
  responses[0]?.setHeader('Cache-Control', 'max-age=60').end('body')
  await Promise.all(clients)
  t.same(seen.sort(), ['a a', 'b b', 'c c'])
})
