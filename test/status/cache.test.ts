/** What the status page, its JSON and its Prometheus text say of caches. */

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { fastcgiStatus as expressStatus, fastcgiProxy } from '@fastcgi/express'
import { fastcgiStatus } from '@fastcgi/fastify'
import { createStatus } from '@fastcgi/gateway'
import express from 'express'
import t from 'tap'
import { startAdapter } from '../helpers/adapters.ts'
import { cachedOptions, startApp } from '../helpers/cached-app.ts'
import { parsePrometheus } from '../helpers/prometheus-text.ts'
import { until } from '../helpers/wait.ts'

t.test('in all three forms', async (t) => {
  const app = await startApp(t, (_req, res) =>
    res.setHeader('Cache-Control', 'max-age=60').end('x'),
  )
  const adapter = await startAdapter(t, 'http', cachedOptions(app))
  await fetch(adapter.url)
  await until('it to be stored', () => adapter.cache?.stats.stored === 1)
  await fetch(adapter.url)
  await fetch(adapter.url, { method: 'POST' })
  await fetch(adapter.url)
  await until('it to be stored again', () => adapter.cache?.stats.stored === 2)
  const status = createStatus({ dispatchers: {}, caches: { site: adapter.cache, none: undefined } })
  const ask = (format: string): string =>
    status.respond({ method: 'GET', url: `http://a/?format=${format}`, headers: {} }).body
  const { caches } = JSON.parse(ask('json'))
  t.match(caches, [
    {
      name: 'site',
      entries: 1,
      stats: { hits: 1, misses: 2, bypassed: 1, invalidated: 1, stored: 2 },
    },
  ])
  t.equal(caches.length, 1)
  t.ok(caches[0].bytes > 0)
  const samples = parsePrometheus(t, ask('prometheus'))
  const value = (name: string, event?: string): number | undefined =>
    samples.find(
      ({ name: found, labels }) =>
        found === name && labels.cache === 'site' && labels.event === event,
    )?.value
  t.equal(value('fastcgi_cache_events_total', 'hits'), 1)
  t.equal(value('fastcgi_cache_events_total', 'misses'), 2)
  t.equal(value('fastcgi_cache_entries'), 1)
  t.equal(value('fastcgi_cache_bytes'), caches[0].bytes)
  t.match(ask('html'), /<dt>Hits<\/dt><dd>1<\/dd>/)
})

t.test('Fastify shows those of its proxies', async (t) => {
  const app = await startApp(t, (_req, res) => res.end('x'))
  const { url } = await startAdapter(t, 'fastify', {
    ...cachedOptions(app),
    fastify: (instance) => {
      instance.register(fastcgiStatus, { prefix: '/status' })
    },
  })
  await fetch(`${url}/a`)
  const shown = await (await fetch(`${url}/status?format=json`)).json()
  t.match(shown, { caches: [{ name: app.address, stats: { misses: 1 } }] })
})

t.test('Express shows those of its middleware', async (t) => {
  const app = await startApp(t, (_req, res) => res.end('x'))
  const proxy = fastcgiProxy({
    upstream: app.address,
    root: '/',
    backendType: 'generic',
    cache: true,
  })
  const server = express()
    .use('/status', expressStatus({ dispatchers: proxy }))
    .use(proxy)
    .listen(0, '127.0.0.1')
  t.teardown(async () => {
    server.close()
    server.closeAllConnections()
    await proxy.close()
  })
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await fetch(`${url}/a`)
  const shown = await (await fetch(`${url}/status?format=json`)).json()
  t.match(shown, { caches: [{ name: app.address, stats: { misses: 1 } }] })
})
