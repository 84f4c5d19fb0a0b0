/** What goes wrong is seen on the page, in JSON, metrics, events and log, with the member's name and what to do. */

import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createProcessManager } from '@fastcgi/process-manager'
import t, { type Test } from 'tap'
import { startPhpFpm } from '#php'
import { NEEDS_FPM, phpFpm, SITE } from '../helpers/php-site.ts'
import { scaled } from '../helpers/time-limit.ts'
import { until } from '../helpers/wait.ts'
import { seenEverywhere, type WatchedSite, watchedSite } from '../helpers/watched-site.ts'

const NOBODY = 65_534
const UPSTREAM = /upstream/

function scratch(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  chmodSync(directory, 0o777)
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

async function statusOf(site: WatchedSite, path: string, init?: RequestInit): Promise<number> {
  const response = await fetch(site.url + path, init)
  await response.arrayBuffer().catch(() => {})
  return response.status
}

/** A site of php-fpm whose only member is called php. */
async function phpSite(t: Test, options: object = {}, fpm: object = {}): Promise<WatchedSite> {
  const { address } = await phpFpm(t, fpm)
  return watchedSite(t, {
    root: SITE,
    upstream: { members: [{ address, name: 'php' }] },
    ...options,
  })
}

const refused = {
  event: 'failing',
  remedy: UPSTREAM,
  metric: 'fastcgi_errors_total',
  labels: { reason: 'died' },
}

t.test('the socket is missing', async (t) => {
  const path = join(scratch(t), 'no.sock')
  const site = await watchedSite(t, { root: SITE, upstream: `unix:${path}` })
  t.equal(await statusOf(site, '/server.php'), 502)
  await seenEverywhere(t, site, {
    ...refused,
    member: `unix:${path}`,
    message: /does not exist|no such/i,
  })
  const { json, metrics } = site.look()
  t.match(json.dispatchers, [{ routes: ['/'], members: [{ state: 'failing' }] }])
  t.ok(json.dispatchers[0]?.members[0]?.since)
  const up = metrics().find(({ name }) => name === 'fastcgi_member_up')
  t.match(up, { labels: { route: '/' }, value: 0 })
})

t.test('the connection is refused', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  const site = await watchedSite(t, { root: SITE, upstream: `fcgi://127.0.0.1:${port}` })
  t.equal(await statusOf(site, '/server.php'), 502)
  await seenEverywhere(t, site, { ...refused, member: `127.0.0.1:${port}`, message: /refused/ })
})

t.test('the socket may not be opened', async (t) => {
  const path = join(scratch(t), 's')
  const server = createServer().listen(path)
  t.teardown(() => server.close())
  await once(server, 'listening')
  chmodSync(path, 0o600)
  const isRoot = process.getuid?.() === 0
  if (!isRoot) chmodSync(path, 0)
  const site = await watchedSite(t, { root: SITE, upstream: `unix:${path}` })
  // Root may connect everywhere.
  if (isRoot) process.seteuid?.(NOBODY)
  try {
    t.equal(await statusOf(site, '/server.php'), 502)
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
  await seenEverywhere(t, site, {
    ...refused,
    member: `unix:${path}`,
    message: /permission denied/i,
  })
})

t.test('SCRIPT_FILENAME is wrong', NEEDS_FPM, async (t) => {
  const site = await phpSite(t, { remoteRoot: '/srv/elsewhere' })
  t.equal(await statusOf(site, '/server.php'), 404)
  await seenEverywhere(t, site, {
    member: 'php',
    event: 'error',
    message: /Primary script unknown.*\/srv\/elsewhere\/server\.php/,
    remedy: /remoteRoot/,
    metric: 'fastcgi_requests_total',
    labels: { status_class: '4xx' },
  })
})

t.test('a fatal error of PHP', NEEDS_FPM, async (t) => {
  const site = await phpSite(t)
  t.equal(await statusOf(site, '/fatal.php'), 500)
  await seenEverywhere(t, site, {
    member: 'php',
    event: 'error',
    message: /PHP Fatal error.*call_to_nobody/,
    remedy: /script and line/,
    metric: 'fastcgi_requests_total',
    labels: { status_class: '5xx' },
  })
})

t.test('php-fpm is busy, and the queue is full', NEEDS_FPM, async (t) => {
  const directory = scratch(t)
  const site = await phpSite(
    t,
    { env: { TEST_DIR: directory }, maxConnections: 1, queueTimeout: 300, maxQueue: 1 },
    { children: 1 },
  )
  const busy = statusOf(site, '/wait.php')
  await until('the script to run', () => readdirSync(directory).length > 0)
  const waiting = statusOf(site, '/server.php')
  await until('a queue', () => site.look().json.dispatchers[0]?.stats.queued === 1)
  const { metrics } = site.look()
  const queues = metrics().filter(({ name }) => name === 'fastcgi_queue_length')
  t.ok(
    queues.some(({ labels, value }) => labels.member === 'php' && value === 1),
    'the queue is seen',
  )
  t.equal(await statusOf(site, '/server.php'), 503)
  const overloaded = {
    member: 'php',
    event: 'error',
    remedy: /pm\.max_children/,
    metric: 'fastcgi_errors_total',
    labels: { reason: 'overloaded' },
  }
  await seenEverywhere(t, site, { ...overloaded, message: /maxQueue/ })
  t.equal(await waiting, 503)
  await seenEverywhere(t, site, { ...overloaded, message: /queueTimeout/ })
  writeFileSync(join(directory, 'go'), '')
  t.equal(await busy, 200)
})

t.test('a slow script', NEEDS_FPM, async (t) => {
  const directory = scratch(t)
  const site = await phpSite(t, { env: { TEST_DIR: directory }, timeouts: { head: 300 } })
  t.equal(await statusOf(site, '/wait.php'), 504)
  writeFileSync(join(directory, 'go'), '')
  await seenEverywhere(t, site, {
    member: 'php',
    event: 'error',
    message: /timeouts\.head/,
    remedy: /faster/,
    metric: 'fastcgi_errors_total',
    labels: { reason: 'other' },
  })
})

t.test('a response breaks off', NEEDS_FPM, async (t) => {
  const root = scratch(t)
  chmodSync(root, 0o755)
  const killed = '<?php echo str_repeat("x", 100000); flush(); posix_kill(getmypid(), 9);'
  writeFileSync(join(root, 'killed.php'), killed)
  const site = await phpSite(t, { root })
  await t.rejects(fetch(`${site.url}/killed.php`).then((response) => response.text()))
  await seenEverywhere(t, site, {
    member: 'php',
    event: 'error',
    message: /closed the connection/,
    remedy: /log of the application/,
    metric: 'fastcgi_errors_total',
    labels: { reason: 'died' },
  })
})

t.test('a member goes down and comes back', NEEDS_FPM, async (t) => {
  const directory = scratch(t)
  const listen = `unix:${join(directory, 'blue')}`
  const blue = await startPhpFpm({ listen })
  t.teardown(() => blue.stop())
  const { address } = await phpFpm(t)
  const site = await watchedSite(t, {
    root: SITE,
    upstream: {
      members: [
        { address: listen, name: 'blue' },
        { address, name: 'green' },
      ],
      method: 'round-robin',
      maxFailures: 1,
      retry: 200,
    },
  })
  t.equal(await statusOf(site, '/server.php'), 200)
  await blue.stop()
  for (let n = 0; n < 3; n++) t.equal(await statusOf(site, '/server.php'), 200, 'the other answers')
  await seenEverywhere(t, site, {
    ...refused,
    event: 'out',
    member: 'blue',
    message: /does not exist|no such|refused/i,
    logged: false,
  })
  const again = await startPhpFpm({ listen })
  t.teardown(() => again.stop())
  const isBack = (): boolean =>
    site.look().json.events.find(({ member }) => member === 'blue')?.kind === 'back'
  // Each of them may be the probe.
  for (const end = Date.now() + scaled(10_000); !isBack() && Date.now() < end; )
    await statusOf(site, '/server.php')
  t.ok(isBack(), 'it is back')
  const { json, metrics } = site.look()
  t.match(json.dispatchers[0]?.members[0], { name: 'blue', state: 'ok', since: null })
  const outs = metrics().find(
    ({ name, labels }) => name === 'fastcgi_member_outs_total' && labels.member === 'blue',
  )
  t.ok((outs?.value ?? 0) >= 1)
})

t.test('the limit is cut', NEEDS_FPM, async (t) => {
  const site = await phpSite(t, {}, { children: 1 })
  const clients = Array.from({ length: 12 }, async () => {
    for (let n = 0; n < 30; n++) await statusOf(site, '/server.php')
  })
  await Promise.all(clients)
  await seenEverywhere(t, site, {
    member: 'php',
    event: 'limit-cut',
    message: /served at the same time/,
    remedy: /pm\.max_children/,
    metric: 'fastcgi_connections_limit',
    logged: false,
    lastError: false,
  })
  const { json } = site.look()
  const limit = json.dispatchers[0]?.members[0]?.limit
  t.ok(limit?.cutAt)
  t.match(limit?.reason, /have a worker/)
})

t.test('a client does not wait', NEEDS_FPM, async (t) => {
  const directory = scratch(t)
  const site = await phpSite(t, { env: { TEST_DIR: directory } })
  const gone = new AbortController()
  const request = fetch(`${site.url}/wait.php`, { signal: gone.signal })
  await until('the script to run', () => readdirSync(directory).length > 0)
  gone.abort()
  await t.rejects(request)
  await seenEverywhere(t, site, {
    member: 'php',
    event: 'aborted',
    message: /did not wait/,
    remedy: /client|wait/,
    metric: 'fastcgi_requests_total',
    labels: { status_class: 'aborted' },
    logged: false,
    lastError: false,
  })
  writeFileSync(join(directory, 'go'), '')
})

t.test('a process ends again and again', async (t) => {
  const logged: string[] = []
  const keep = (_details: object, message: string): void => void logged.push(message)
  const site = await watchedSite(t, {
    root: SITE,
    upstream: () =>
      createProcessManager({
        name: 'broken',
        command: [process.execPath, '-e', 'console.error("no such module"); process.exit(3)'],
        restartDelay: 50,
        maxRestartDelay: 100,
        logger: { info: keep, warn: keep, error: keep },
      }),
  })
  await until('it to have ended twice', () =>
    site.look().json.events.some(({ kind, times }) => kind === 'crash-loop' && times > 1),
  )
  t.equal(await statusOf(site, '/server.php'), 503)
  const { json, page, metrics } = site.look()
  const [event] = json.events.filter(({ kind }) => kind === 'crash-loop')
  t.match(event, { member: 'broken-0', message: /code 3.*no such module/, remedy: /by hand/ })
  t.match(json.processes, [{ name: 'broken-0', state: 'backoff', lastExit: /code 3/ }])
  t.ok(metrics().some(({ name, value }) => name === 'fastcgi_process_exits_total' && value > 1))
  t.ok(page.includes('broken-0'), 'page: the process')
  t.match(page, /no such module/, 'page: its last output')
  t.match(page, /by hand/, 'page: what to do')
  t.ok(logged.some((line) => /broken-0.*code 3.*no such module/.test(line)))
})
