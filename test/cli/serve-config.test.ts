/** Where options of `fastcgi serve` come from: configuration file, environment, command line; and which of them wins. */
import { join } from 'node:path'
import { defineConfig } from '@fastcgi/cli'
import t, { type Test } from 'tap'
import { startPeer, wellBehaved } from '../helpers/scripted-peer.ts'
import { CLI, serveWith, stop } from '../helpers/serve-command.ts'
import { textOf } from '../helpers/serve-site.ts'

const { serveArguments } = await import(new URL('settings/arguments.js', CLI).href)
const { loadSettings } = await import(new URL('settings/settings.js', CLI).href)

const settings = (args: string[], env: Record<string, string> = {}, isTerminal = false) =>
  loadSettings(serveArguments(args), env, isTerminal)

t.test('defineConfig() only gives types', async (t) => {
  const config = { workers: 2, env: () => ({ A: 1 }), timeouts: { head: 5 } }
  t.equal(defineConfig(config), config)
  // @ts-expect-error: no such option.
  defineConfig({ maxConection: 5 })
  // @ts-expect-error: no such adapter.
  defineConfig({ adapter: 'koa' })
})

t.test('the command line wins over the environment, and that over the file', async (t) => {
  const config = {
    upstream: 'file:1',
    maxConnections: 1,
    maxQueue: 1,
    env: { A: 'file', B: 'file', C: 'file' },
    deny: ['/file/'],
  }
  const directory = t.testdir({ 'fastcgi.config.json': JSON.stringify(config) })
  const env = {
    FASTCGI_MAX_CONNECTIONS: '2',
    FASTCGI_MAX_QUEUE: '2',
    FASTCGI_ENV: '{"B":"env","C":"env"}',
  }
  const { gateway, file } = await settings([directory, '--max-queue', '3', '--env', 'C=line'], env)
  t.equal(file, join(directory, 'fastcgi.config.json'))
  t.match(gateway, {
    upstream: 'file:1',
    maxConnections: 2,
    maxQueue: 3,
    env: { A: 'file', B: 'env', C: 'line' },
    deny: ['/file/', 'fastcgi.config.*'],
  })
})

t.test('listen and port: the later one wins', async (t) => {
  const directory = t.testdir({ 'fastcgi.config.json': '{ "listen": "0.0.0.0:1" }' })
  t.match(await settings([directory]), { listen: { host: '0.0.0.0', port: 1 } })
  t.match(await settings([directory], { FASTCGI_PORT: '2' }), {
    listen: { host: '127.0.0.1', port: 2 },
  })
  t.match(await settings([directory, '--listen', '3'], { FASTCGI_PORT: '2' }), {
    listen: { port: 3 },
  })
})

t.test('paths are relative to the file; --config, FASTCGI_CONFIG', async (t) => {
  const directory = t.testdir({
    etc: {
      'site.mjs': `export default { root: '../www', https: { cert: 'a.crt', key: '/b.key' } }`,
    },
    www: { 'index.php': '' },
  })
  const file = join(directory, 'etc/site.mjs')
  for (const read of [settings(['--config', file]), settings([], { FASTCGI_CONFIG: file })])
    t.match(await read, {
      root: join(directory, 'www'),
      https: { cert: join(directory, 'etc/a.crt'), key: '/b.key' },
    })
})

t.test('defaults', async (t) => {
  const directory = t.testdir({ 'index.php': '' })
  t.match(await settings([directory]), {
    listen: { host: '127.0.0.1', port: 8080, search: true },
    workers: 1,
    adapter: 'fastify',
    accessLog: false,
    dev: false,
    grace: 10_000,
    gateway: { errorPage: { details: false }, static: true, checkLocal: true },
  })
  t.match(await settings([directory], {}, true), { accessLog: 'line', dev: true })
  t.match(await settings([directory, '--listen', '0.0.0.0:80'], {}, true), {
    listen: { host: '0.0.0.0', port: 80, search: false },
    dev: false,
  })
  t.match(await settings([directory, '--access-log'], {}, true), { accessLog: 'line' })
  t.match(await settings([directory, '--access-log']), { accessLog: 'json' })
  t.match(await settings([directory, '--no-access-log'], {}, true), { accessLog: false })
  t.match(await settings([directory, '--port', '0', '--workers', 'auto']), {
    listen: { port: 0, search: false },
  })
})

async function application(t: Test): Promise<string> {
  const peer = await startPeer(wellBehaved(({ params }) => `${params.WHO} ${params.REQUEST_URI}`))
  t.teardown(() => peer.close())
  return peer.address
}

for (const [adapter, url] of [
  ['fastify', 'request.raw.url'],
  ['express', 'request.originalUrl'],
  ['http', 'request.url'],
])
  t.test(`a configuration in JavaScript, with a function (${adapter})`, async (t) => {
    const source = `export default {
      adapter: '${adapter}', port: 0, upstream: '${await application(t)}',
      env: (request) => ({ WHO: ${url} }),
    }`
    const cwd = t.testdir({ 'fastcgi.config.mjs': source, 'x.php': '' })
    const served = await serveWith(t, { cwd })
    t.equal(await textOf(`${served.url}/x.php?y`), '/x.php?y /x.php?y')
    const config = await fetch(`${served.url}/fastcgi.config.mjs`)
    t.equal(config.status, 403, 'it is not served')
    await stop(t, served)
  })
