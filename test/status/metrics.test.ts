/** The metrics: their names and units, as Prometheus's own checker sees them, and as metrics of prom-client. */
import { spawnSync } from 'node:child_process'
import { Balancer, Pool } from '@fastcgi/client'
import { createStatus, type Dispatchers } from '@fastcgi/gateway'
import type { ProcessFigures } from '@fastcgi/process-manager'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { findProgram } from '../helpers/programs.ts'
import { parsePrometheus } from '../helpers/prometheus-text.ts'
import { needs } from '../helpers/require-program.ts'
import { startPeer, wellBehaved } from '../helpers/scripted-peer.ts'

const PROMTOOL = findProgram('promtool')

/** A pool, a balancer and processes, so that every metric has a value. */
async function dispatchers(t: Test): Promise<Dispatchers> {
  const peer = await startPeer(wellBehaved())
  const site = new Pool(peer.address)
  const shop = new Balancer({
    name: 'shop',
    members: [
      { address: peer.address, name: 'good' },
      { address: 'unix:/nowhere.sock', name: 'bad' },
    ],
    method: 'round-robin',
  })
  const figures: ProcessFigures = {
    name: 'php-cgi-0',
    address: 'unix:/run/x',
    state: 'running',
    pid: 1,
    age: 1500,
    load: 1,
    served: 2,
    starts: 3,
    died: 2,
    lastExit: 'exited with code 1',
  }
  const managed = Object.defineProperty(new Pool(peer.address), 'processes', { value: [figures] })
  t.teardown(async () => {
    await Promise.all([site.close(), shop.close(), managed.close()])
    await peer.close()
  })
  for (const dispatcher of [site, shop, shop, managed])
    await (await dispatcher.request({ params: { REQUEST_METHOD: 'GET' } })).bytes()
  return { site, shop, managed }
}

const CACHE = {
  stats: { hits: 3 },
  usage: { entries: 1, bytes: 10 },
  purge: async () => {},
}

async function statusOf(t: Test) {
  return createStatus({
    dispatchers: await dispatchers(t),
    caches: { site: CACHE as never },
  })
}

t.test('promtool finds nothing to say about them', needs('prometheus', PROMTOOL), async (t) => {
  const status = await statusOf(t)
  const { body } = status.respond({ method: 'GET', url: '/?format=prometheus', headers: {} })
  const {
    status: code,
    stdout,
    stderr,
  } = spawnSync(PROMTOOL ?? '', ['check', 'metrics'], {
    input: body,
    encoding: 'utf8',
  })
  t.equal(`${stdout}${stderr}`.trim(), '')
  t.equal(code, 0)
  const broken = spawnSync(PROMTOOL ?? '', ['check', 'metrics'], {
    input: '# TYPE fastcgi_requests counter\nfastcgi_requests 1\n',
    encoding: 'utf8',
  })
  t.not(broken.status, 0, 'it would have something to say')
})

t.test('a registry of prom-client has the same', async (t) => {
  const status = await statusOf(t)
  const register = new Registry()
  status.collect(register)
  const text = status.respond({ method: 'GET', url: '/?format=prometheus', headers: {} }).body
  const [ours, theirs] = [text, await register.metrics()].map((body) =>
    // prom-client separates the metrics by empty lines.
    parsePrometheus(t, body.replaceAll('\n\n', '\n'))
      .filter(({ name }) => !/age_seconds$/.test(name))
      .map(({ name, labels, value }) => `${name} ${JSON.stringify(labels)} ${value}`)
      .sort(),
  )
  const deprecated = new Set(
    [...text.matchAll(/^# HELP (\S+) Deprecated/gm)].map(([, name = '']) => name),
  )
  const isCurrent = (line: string): boolean =>
    !deprecated.has(line.split(' ', 1)[0]?.replace(/_(?:bucket|sum|count)$/, '') ?? '') &&
    !deprecated.has(line.split(' ', 1)[0] ?? '')
  t.strictSame(theirs, ours?.filter(isCurrent))
  t.ok(deprecated.size > 10, 'old names are marked')
  t.throws(() => status.collect(register), /already been registered/)
  register.resetMetrics()
  t.match(await register.getSingleMetricAsString('fastcgi_process_starts_total'), / 3$/m)
})

t.test('values, by route and member', async (t) => {
  const status = await statusOf(t)
  const { body } = status.respond({ method: 'GET', url: '/?format=prometheus', headers: {} })
  const samples = parsePrometheus(t, body)
  const value = (name: string, labels: Record<string, string>): number | undefined =>
    samples.find(
      (sample) => sample.name === name && JSON.stringify(sample.labels) === JSON.stringify(labels),
    )?.value
  const good = { route: 'shop', member: 'good' }
  const bad = { route: 'shop', member: 'bad' }
  t.equal(value('fastcgi_requests_total', { ...good, status_class: '2xx' }), 2)
  t.equal(value('fastcgi_requests_total', { ...bad, status_class: 'failed' }), 1)
  t.equal(value('fastcgi_errors_total', { ...bad, reason: 'died' }), 1)
  t.equal(value('fastcgi_failovers_total', { route: 'shop' }), 1)
  t.equal(value('fastcgi_member_up', good), 1)
  t.equal(value('fastcgi_member_up', bad), 0)
  t.equal(value('fastcgi_member_state', { ...bad, state: 'failing' }), 1)
  t.equal(value('fastcgi_request_duration_seconds_count', good), 2)
  t.equal(value('fastcgi_request_duration_seconds_bucket', { ...good, le: '60' }), 2)
  t.equal(value('fastcgi_connections_opened_total', bad), 0, 'a refused one was not opened')
  t.equal(value('fastcgi_process_exits_total', { route: 'managed', process: 'php-cgi-0' }), 2)
  t.equal(value('fastcgi_process_age_seconds', { route: 'managed', process: 'php-cgi-0' }), 1.5)
  t.equal(value('fastcgi_cache_events_total', { cache: 'site', event: 'hits' }), 3)
  const first = samples.find(({ name }) => name === 'fastcgi_request_duration_seconds_bucket')
  t.equal(first?.labels.le, '0.00025')
})
