/** AsyncLocalStorage: hooks, error handlers and loggers that run when an answer comes see the request that it is for. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createGateway } from '@fastcgi/gateway'
import t from 'tap'
import { type AdapterName, type AdapterOptions, startAdapter } from '../helpers/adapters.ts'
import { ask } from '../helpers/php-http.ts'
import { allAtOnce, endRecord, response, startPeer } from '../helpers/scripted-peer.ts'
import { delay } from '../helpers/wait.ts'

const store = new AsyncLocalStorage<string>()
const COUNT = 24

/** Answers out of order, and not at all where the query says so, after a line on stderr. */
const script = allAtOnce(async (request, connection) => {
  await request.stdin()
  const { QUERY_STRING = '' } = request.params
  await delay((Number.parseInt(QUERY_STRING, 10) * 7) % 20)
  if (QUERY_STRING.endsWith('fail')) connection.finish()
  else connection.write(response(QUERY_STRING, request.id), endRecord(0, 0, request.id))
})

/** What was seen, by what should have been. */
type Seen = Map<string, string | undefined>

function watchHead(res: ServerResponse, url: string, seen: Seen): void {
  const writeHead = res.writeHead.bind(res) as (...args: unknown[]) => ServerResponse
  res.writeHead = (...args: unknown[]) => {
    seen.set(url, store.getStore())
    return writeHead(...args)
  }
}

const WATCHED: Readonly<Record<'fastify' | 'express', (seen: Seen) => Partial<AdapterOptions>>> = {
  fastify: (seen) => ({
    fastify: (app) => {
      app.addHook('onRequest', (request, _reply, done) => store.run(request.url, done))
      app.addHook('onSend', (request, _reply, payload, done) => {
        seen.set(request.url, store.getStore())
        done(null, payload)
      })
    },
  }),
  express: (seen) => ({
    express: (app) => {
      app.use((req, res, next) => {
        watchHead(res, req.url, seen)
        store.run(req.url, next)
      })
    },
  }),
}

async function check(t: Test, port: number, seen: Seen, fails: boolean): Promise<void> {
  const urls = Array.from(
    { length: COUNT },
    (_, n) => `/x.php?${n}${fails && n % 3 === 0 ? 'fail' : ''}`,
  )
  // The second time on connections that others have made.
  for (const round of [1, 2]) {
    seen.clear()
    await Promise.all(urls.map((url) => ask(port, url)))
    for (const url of urls) t.equal(seen.get(url), url, `round ${round}`)
  }
}
type Test = typeof t

for (const multiplex of [false, true]) {
  const more = { maxConnections: multiplex ? 2 : 8, multiplex, retries: 0, checkLocal: false }
  for (const name of ['fastify', 'express'] as const satisfies readonly AdapterName[])
    t.test(`${name}, multiplex: ${multiplex}`, async (t) => {
      const peer = await startPeer(script)
      t.teardown(() => peer.close())
      const seen: Seen = new Map()
      const options = { upstream: peer.address, root: '/srv', ...more, ...WATCHED[name](seen) }
      const { port } = await startAdapter(t, name, options)
      await check(t as Test, port, seen, !multiplex)
    })

  t.test(`http, multiplex: ${multiplex}`, async (t) => {
    const peer = await startPeer(script)
    t.teardown(() => peer.close())
    const seen: Seen = new Map()
    const logged: Array<string | undefined> = []
    const log = () => logged.push(store.getStore())
    const logger = { info: log, warn: log, error: log }
    const gateway = createGateway({ upstream: peer.address, root: '/srv', ...more, logger })
    const server = createServer((req, res) => {
      watchHead(res, req.url ?? '', seen)
      store.run(req.url ?? '', () => gateway.handler(req, res))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.teardown(async () => {
      server.closeAllConnections()
      server.close()
      await gateway.close()
    })
    await check(t as Test, (server.address() as AddressInfo).port, seen, !multiplex)
    t.equal(logged.length > 0, !multiplex)
    t.ok(
      logged.every((url) => url?.endsWith('fail')),
      'the loggers as well',
    )
  })
}
