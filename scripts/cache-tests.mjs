// Runs the public tests of HTTP caches (github.com/http-tests/cache-tests) against the gateway with `cache: true`:
// `node scripts/cache-tests.mjs CHECKOUT [fastify|express|http]… [--list]`. CHECKOUT is a clone of it, with `npm install` done.
// The handlers of its server run as a FastCGI application. --list prints the tests that did not pass.
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createServer } from '@fastcgi/application'
import { fastcgiProxy as expressProxy } from '@fastcgi/express'
import { fastcgiProxy } from '@fastcgi/fastify'
import { createGateway } from '@fastcgi/gateway'
import express from 'express'
import Fastify from 'fastify'

const [checkout, ...rest] = process.argv.slice(2)
if (checkout === undefined) {
  console.error(
    'Usage: node scripts/cache-tests.mjs CHECKOUT [fastify|express|http]… [--list] [--only=ID]',
  )
  process.exit(2)
}
const adapters = rest.filter((word) => !word.startsWith('--'))
const only = rest.find((word) => word.startsWith('--only='))?.slice(7)

const load = async (path) => import(pathToFileURL(resolve(checkout, path)).href)
const handlers = {
  config: (await load('test-engine/server/handle-config.mjs')).default,
  test: (await load('test-engine/server/handle-test.mjs')).default,
  state: (await load('test-engine/server/handle-state.mjs')).default,
}
const suites = (await load('tests/index.mjs')).default
const { runTests } = await load('test-engine/client/runner.mjs')
const { testResults } = await load('test-engine/client/test.mjs')
const { determineTestResult, resultTypes } = await load('test-engine/lib/results.mjs')
// The handlers tell of requests that they do not know.
const { log } = console
console.log = () => {}

const application = createServer((req, res) => {
  const [, name, ...path] = new URL(req.url, 'http://localhost').pathname.split('/')
  const handler = handlers[name]
  if (handler === undefined) res.writeHead(404).end()
  else handler(path, req, res)
}).listen({ host: '127.0.0.1', port: 0 })
await once(application, 'listening')

const options = {
  upstream: `127.0.0.1:${application.address().port}`,
  root: '/',
  backendType: 'generic',
  cache: true,
  logger: false,
}

const starters = {
  async fastify() {
    const app = Fastify()
    await app.register(fastcgiProxy, options)
    await app.listen({ host: '127.0.0.1', port: 0 })
    return { server: app.server, close: () => app.close() }
  },
  async express() {
    const proxy = expressProxy(options)
    return listen(createHttpServer(express().set('env', 'production').use(proxy)), proxy)
  },
  async http() {
    const gateway = createGateway(options)
    return listen(createHttpServer(gateway.handler), gateway)
  },
}

async function listen(server, gateway) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = async () => {
    server.closeAllConnections()
    server.close()
    await gateway.close()
  }
  return { server, close }
}

const wanted =
  only === undefined
    ? suites
    : suites.map((suite) => ({ ...suite, tests: suite.tests.filter(({ id }) => id === only) }))
const run = wanted.flatMap(({ tests }) => tests).filter(({ browser_only: browser }) => !browser)
for (const name of adapters.length > 0 ? adapters : Object.keys(starters)) {
  for (const id of Object.keys(testResults)) delete testResults[id]
  const { server, close } = await starters[name]()
  // The runner changes the tests.
  await runTests(structuredClone(wanted), false, `http://127.0.0.1:${server.address().port}`)
  await close()
  report(name)
}
application.close()
application.closeAllConnections?.()

function report(name) {
  const count = { required: [0, 0], optimal: [0, 0], check: [0, 0] }
  const left = []
  for (const { id, kind = 'required' } of run) {
    const result = determineTestResult(suites, id, testResults, only === undefined)
    const passed = result === resultTypes.pass || result === resultTypes.yes
    count[kind][0] += passed ? 1 : 0
    count[kind][1]++
    if (!passed)
      left.push([
        kind,
        id,
        ...(testResults[id] === true ? ['depends on another'] : (testResults[id] ?? [])),
      ])
  }
  const sums = Object.entries(count).map(([kind, [passed, all]]) => `${kind} ${passed} of ${all}`)
  log(`${name}: ${sums.join(', ')}`)
  if (rest.includes('--list') || only !== undefined)
    for (const each of left.sort()) log(`  ${each.join(' ')}`)
}
