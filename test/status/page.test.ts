/** The status of balancers and pools, by itself and behind its two faces. */
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  Balancer,
  ConnectError,
  type Dispatcher,
  FastCGIClient,
  OptionError,
  Pool,
} from '@fastcgi/client'
import { BUCKETS } from '@fastcgi/client/internal'
import { fastcgiProxy as expressProxy, fastcgiStatus as expressStatus } from '@fastcgi/express'
import { fastcgiProxy, fastcgiStatus } from '@fastcgi/fastify'
import { createStatus, type Status, type StatusOptions } from '@fastcgi/gateway'
import { joinDispatchers } from '@fastcgi/gateway/internal'
import express from 'express'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { startPeer, wellBehaved } from '../helpers/scripted-peer.ts'
import { until } from '../helpers/wait.ts'

const HOSTILE = `"><script>alert('&')</script>\\\nx`
const FORM = 'application/x-www-form-urlencoded'

const NO_STATS = {
  connections: 0,
  idle: 0,
  active: 0,
  queued: 0,
  limit: 4,
  requests: 0,
  failed: 0,
  retries: 0,
}

/** Answers at once, or fails. */
function stub(error?: ConnectError): Dispatcher {
  return {
    dispatch(_request, handler) {
      handler.onStart?.({ address: 'stub', reused: false, queueTime: 0, connectTime: 0 })
      process.nextTick(() => {
        if (error !== undefined) {
          handler.onError(error, true)
          return
        }
        handler.onHead(200, [], '', true)
        handler.onData(Buffer.alloc(1000))
        handler.onEnd(0)
      })
      return { resume() {}, abort() {} }
    },
    request: () => Promise.reject(new Error('not here')),
    close: async () => {},
    destroy: async () => {},
    stats: NO_STATS,
  }
}

function shop(t: Test): Balancer {
  const balancer = new Balancer({
    name: 'shop',
    method: 'round-robin',
    maxFailures: 1,
    members: [
      { address: stub(), name: 'a', route: 'r1', weight: 2 },
      { address: stub(), name: 'b', status: 'draining' },
    ],
  })
  t.teardown(() => balancer.close())
  return balancer
}

async function ask(dispatcher: Dispatcher, times = 1): Promise<void> {
  for (let n = 0; n < times; n++) {
    const params = { REQUEST_METHOD: 'GET', SCRIPT_NAME: '/x' }
    const response = await dispatcher.request({ params, idempotent: true })
    await response.text()
  }
}

/** What a face answers, in one form for all of them. */
interface Answer {
  status: number
  headers: Record<string, string>
  body: string
}

interface Asked {
  method?: string
  path?: string
  headers?: Record<string, string>
  body?: string
}

type Ask = (asked?: Asked) => Promise<Answer>

/** Where the page is, and what its forms need. */
interface Face {
  ask: Ask
  origin: string
  path: string
}

type FaceName = 'fastify' | 'express' | 'alone'
type FaceOptions = Omit<StatusOptions, 'dispatchers'>

async function startFace(
  t: Test,
  name: FaceName,
  dispatchers: StatusOptions['dispatchers'],
  options: FaceOptions = {},
): Promise<Face> {
  if (name === 'alone') return aloneFace(createStatus({ dispatchers, ...options }))
  const path = '/ops/status'
  if (name === 'fastify') {
    const app = Fastify()
    await app.register(fastcgiStatus, { prefix: path, dispatchers, ...options })
    t.teardown(() => app.close())
    const origin = await app.listen({ host: '127.0.0.1', port: 0 })
    return { ask: asker(origin, path), origin, path }
  }
  const app = express().set('env', 'production')
  app.use(path, expressStatus({ dispatchers, ...options }))
  return expressFace(t, app, path)
}

async function expressFace(t: Test, app: express.Express, path: string): Promise<Face> {
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { ask: asker(origin, path), origin, path }
}

function aloneFace(status: Status): Face {
  const origin = 'https://example.org'
  return {
    origin,
    path: '/s',
    ask: async ({ method = 'GET', path = '', headers = {}, body } = {}) => {
      const given = await status.respond({ method, url: `${origin}/s${path}`, headers, body })
      const fields: Record<string, string> = {}
      for (let at = 0; at < given.headers.length; at += 2)
        fields[String(given.headers[at]).toLowerCase()] = String(given.headers[at + 1])
      return { status: given.status, headers: fields, body: given.body }
    },
  }
}

/** Not fetch: it sends an Origin of its own, and an Accept. */
function asker(origin: string, prefix: string): Ask {
  return ({ method = 'GET', path = '', headers = {}, body } = {}) =>
    new Promise((resolve, reject) => {
      const req = httpRequest(`${origin}${prefix}${path}`, { method, headers, agent: false })
      req.on('error', reject)
      req.on('response', async (res) => {
        let text = ''
        for await (const chunk of res.setEncoding('utf8')) text += chunk
        const fields = res.headers as Record<string, string>
        resolve({ status: res.statusCode ?? 0, headers: fields, body: text })
      })
      req.end(body)
    })
}

const FACES: readonly FaceName[] = ['alone', 'fastify', 'express']

function eachFace(name: string, run: (t: Test, face: FaceName) => Promise<void>): void {
  for (const face of FACES) t.test(`${name} (${face})`, (t) => run(t, face))
}

const nonceOf = ({ body }: Answer): string => /name="nonce" value="([^"]+)"/.exec(body)?.[1] ?? ''

/** Sends a form as the page's own would be; `fields` and `headers` are what is different. */
async function submit(
  { ask, origin }: Face,
  fields: Record<string, string>,
  headers: Record<string, string | undefined> = {},
): Promise<Answer> {
  const nonce = nonceOf(await ask({ headers: { accept: 'text/html' } }))
  const body = new URLSearchParams({ nonce, balancer: 'shop', ...fields }).toString()
  const all = { 'content-type': FORM, origin, ...headers }
  const given = Object.entries(all).filter((field): field is [string, string] => Boolean(field[1]))
  return ask({ method: 'POST', headers: Object.fromEntries(given), body })
}

eachFace('what it is by Accept', async (t, name) => {
  const { ask } = await startFace(t, name, { shop: shop(t) })
  const typeFor = async (accept: string | undefined): Promise<string | undefined> => {
    const { headers } = await ask({ headers: accept === undefined ? {} : { accept } })
    return headers['content-type']?.split(';', 1)[0]
  }
  const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
  const scraper =
    'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2'
  const cases: ReadonlyArray<readonly [string | undefined, string]> = [
    [undefined, 'text/html'],
    ['*/*', 'text/html'],
    [browser, 'text/html'],
    ['image/png', 'text/html'],
    ['application/json', 'application/json'],
    ['application/*', 'application/json'],
    ['text/html;q=0.5, application/json', 'application/json'],
    ['text/html;q=0, */*', 'application/json'],
    ['text/plain', 'text/plain'],
    ['TEXT/Plain', 'text/plain'],
    ['application/openmetrics-text', 'text/plain'],
    [scraper, 'text/plain'],
    ['text/*', 'text/html'],
    ['text/plain;q=x', 'text/html'],
  ]
  for (const [accept, type] of cases) t.equal(await typeFor(accept), type, accept ?? 'nothing')
})

eachFace('?format wins, HEAD has no body', async (t, name) => {
  const { ask } = await startFace(t, name, { shop: shop(t) })
  const headers = { accept: 'text/html' }
  const types = { html: 'text/html', json: 'application/json', prometheus: 'text/plain' }
  for (const [format, type] of Object.entries(types)) {
    const path = `?format=${format}`
    const got = await ask({ path, headers })
    t.match(got.headers['content-type'], type)
    t.ok(got.body.length > 100)
    const head = await ask({ method: 'HEAD', path, headers })
    t.equal(head.status, 200)
    t.equal(head.body, '')
    t.match(head.headers['content-type'], type)
    t.ok(Number(head.headers['content-length']) > 100)
  }
  t.equal((await ask({ path: '?format=xml' })).status, 400)
})

eachFace('what every answer says of itself', async (t, name) => {
  const { ask } = await startFace(t, name, { shop: shop(t) })
  const first = await ask()
  t.match(first.headers, {
    'cache-control': 'no-store',
    'x-frame-options': 'DENY',
    'x-content-type-options': 'nosniff',
    vary: 'Accept',
  })
  const policy = first.headers['content-security-policy'] ?? ''
  const [, nonce] = /style-src 'nonce-([\w-]+)'/.exec(policy) ?? []
  t.match(policy, "default-src 'none'")
  t.match(policy, "form-action 'self'")
  t.ok(nonce !== undefined && first.body.includes(`<style nonce="${nonce}">`))
  t.notMatch((await ask()).headers['content-security-policy'], String(nonce), 'a new one each time')
  t.notMatch(first.body, / style=|<script|https?:\/\//, 'nothing inline, nothing from elsewhere')
})

eachFace('nothing from outside becomes markup', async (t, name) => {
  const balancer = new Balancer({
    name: HOSTILE,
    maxFailures: 1,
    members: [
      {
        address: stub(new ConnectError(HOSTILE)),
        name: HOSTILE,
        route: HOSTILE,
        redirect: HOSTILE,
      },
      { address: stub(), name: 'fine', role: 'standby' },
    ],
  })
  t.teardown(() => balancer.close())
  await ask(balancer)
  const face = await startFace(t, name, { [HOSTILE]: balancer }, { title: HOSTILE, actions: true })
  const { body } = await face.ask()
  t.match(body, 'Last error')
  t.match(body, '&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;')
  t.notMatch(body, /<script|">\s*&lt;/)
  const told = await submit(face, { balancer: HOSTILE, action: HOSTILE })
  t.equal(told.status, 400)
  t.match(told.body, 'There is no action &quot;&gt;&lt;script&gt;')
  t.notMatch(told.body, '<script')
  const json = JSON.parse((await face.ask({ path: '?format=json' })).body)
  t.equal(json.dispatchers[0].members[0].lastError.message, HOSTILE)
  const text = (await face.ask({ path: '?format=prometheus' })).body
  const up = parsePrometheus(t, text).filter((sample) => sample.name === 'fastcgi_member_up')
  t.strictSame(up, [
    { name: 'fastcgi_member_up', labels: { dispatcher: HOSTILE, member: HOSTILE }, value: 0 },
    { name: 'fastcgi_member_up', labels: { dispatcher: HOSTILE, member: 'fine' }, value: 1 },
  ])
})

eachFace('it is for reading only unless told otherwise', async (t, name) => {
  const balancer = shop(t)
  const face = await startFace(t, name, { shop: balancer })
  t.notMatch((await face.ask()).body, /<form|<input|<button/)
  const answer = await submit(face, { member: 'a', action: 'drain' })
  t.equal(answer.status, 405)
  t.equal(answer.headers.allow, 'GET, HEAD')
  t.match(answer.body, 'option actions')
  t.equal(balancer.members[0]?.status, 'enabled')
  t.equal((await face.ask({ method: 'DELETE' })).status, 405)
})

eachFace('each action', async (t, name) => {
  const balancer = shop(t)
  const face = await startFace(t, name, { shop: balancer }, { actions: true })
  const first = balancer.members[0]
  for (const [action, status] of [
    ['drain', 'draining'],
    ['disable', 'disabled'],
    ['stop', 'stopped'],
    ['enable', 'enabled'],
  ] as const) {
    const answer = await submit(face, { member: 'a', action })
    t.equal(answer.status, 303, action)
    t.equal(answer.headers.location, face.path)
    t.equal(first?.status, status)
  }
  t.equal((await submit(face, { member: 'a', action: 'weight', weight: '0.5' })).status, 303)
  t.equal(first?.weight, 0.5)
  const added = {
    action: 'add',
    address: 'fcgi://127.0.0.1:9',
    name: ' c ',
    route: '',
    weight: '3',
  }
  t.equal((await submit(face, added)).status, 303)
  t.match(balancer.members[2], { name: 'c', weight: 3, route: undefined })
  const plain = { action: 'add', address: '127.0.0.1:10', name: '', weight: '' }
  t.equal((await submit(face, plain)).status, 303)
  t.match(balancer.members[3], { name: '127.0.0.1:10', weight: 1 })
  t.equal((await submit(face, { member: 'c', action: 'remove' })).status, 303)
  t.strictSame(
    balancer.members.map((member) => member.name),
    ['a', 'b', '127.0.0.1:10'],
  )
})

eachFace('who may not change anything', async (t, name) => {
  const balancer = shop(t)
  const face = await startFace(t, name, { shop: balancer }, { actions: true })
  const drain = { member: 'a', action: 'drain' }
  const refused = async (status: number, what: string, answer: Promise<Answer>): Promise<void> => {
    t.equal((await answer).status, status, what)
    t.equal(balancer.members[0]?.status, 'enabled', what)
  }
  const other = await startFace(t, name, { shop: balancer }, { actions: true })
  const foreign = nonceOf(await other.ask())
  t.ok(foreign.length > 20)
  await refused(403, 'no nonce', submit(face, { ...drain, nonce: '' }))
  await refused(403, 'wrong nonce', submit(face, { ...drain, nonce: foreign }))
  await refused(403, 'another site', submit(face, drain, { origin: 'https://evil.example' }))
  await refused(403, 'no origin', submit(face, drain, { origin: 'null' }))
  await refused(403, 'neither field', submit(face, drain, { origin: undefined }))
  const referer = 'https://evil.example/x'
  await refused(403, 'a referer', submit(face, drain, { origin: undefined, referer }))
  await refused(403, 'no URL', submit(face, drain, { origin: undefined, referer: 'x' }))
  const own = `${face.origin}${face.path}`
  const origin = 'https://evil.example'
  await refused(403, 'Origin goes first', submit(face, drain, { origin, referer: own }))
  const [scheme] = face.origin.split(':', 1)
  const swapped = face.origin.replace(/^https?/, scheme === 'http' ? 'https' : 'http')
  await refused(403, 'another scheme', submit(face, drain, { origin: swapped }))
  for (const type of ['text/plain', 'application/json', 'multipart/form-data; boundary=x'])
    await refused(415, type, submit(face, drain, { 'content-type': type }))
  await refused(413, 'long', submit(face, { ...drain, more: 'x'.repeat(8192) }))
  t.equal((await submit(face, drain, { origin: undefined, referer: own })).status, 303)
  t.equal(balancer.members[0]?.status, 'draining', 'the page itself by Referer')
})

eachFace('bad values', async (t, name) => {
  const balancer = shop(t)
  const face = await startFace(t, name, { shop: balancer, pool: stub() }, { actions: true })
  const cases: ReadonlyArray<readonly [Record<string, string>, RegExp]> = [
    [{ member: 'a', action: 'weight', weight: '101' }, /option weight must be a number over 0/],
    [{ member: 'a', action: 'weight', weight: '0' }, /option weight/],
    [{ member: 'a', action: 'weight', weight: 'many' }, /got &quot;many&quot;/],
    [{ member: 'a', action: 'weight' }, /option weight/],
    [{ member: 'x', action: 'drain' }, /has no member x/],
    [{ member: 'x', action: 'remove' }, /has no member x/],
    [{ action: 'drain' }, /has no member/],
    [{ member: 'a', action: '' }, /There is no action/],
    [{ member: 'a', action: 'toString' }, /There is no action/],
    [{ balancer: 'x', member: 'a', action: 'drain' }, /There is no balancer x/],
    [{ balancer: 'pool', member: 'a', action: 'drain' }, /There is no balancer pool/],
    [{ balancer: '__proto__', member: 'a', action: 'drain' }, /There is no balancer/],
    [{ action: 'add' }, /address/],
    [{ action: 'add', address: 'http://[' }, /address/],
    [{ action: 'add', address: 'fcgi://127.0.0.1:9', name: 'a' }, /has a member a already/],
    [{ action: 'add', address: 'fcgi://127.0.0.1:9', weight: '-1' }, /option weight/],
  ]
  for (const [fields, message] of cases) {
    const answer = await submit(face, fields)
    t.equal(answer.status, 400, JSON.stringify(fields))
    t.match(answer.body, message)
    t.match(answer.body, 'role="alert"')
    t.notMatch(answer.body, 'http-equiv', 'the message stays')
  }
  t.equal(balancer.members.length, 2)
  const asked = await submit(face, { action: 'x' }, { accept: 'application/json' })
  t.match(JSON.parse(asked.body), { error: 'There is no action x' })
  t.match((await submit(face, { action: 'x' }, { accept: 'text/plain' })).body, /^There is no/)
})

interface Sample {
  name: string
  labels: Record<string, string>
  value: number
}

/** Reads the text exposition format line by line; what is not in it fails. */
function parsePrometheus(t: Test, text: string): Sample[] {
  const samples: Sample[] = []
  const types = new Map<string, string>()
  let family = ''
  t.ok(text.endsWith('\n'), 'the last line ends')
  for (const line of text.slice(0, -1).split('\n')) {
    const [, kind, name, rest] = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line) ?? []
    if (kind === 'TYPE' && name !== undefined) {
      t.notOk(types.has(name), `${name} comes once`)
      types.set(name, rest ?? '')
      family = name
    }
    if (kind !== undefined) continue
    const found = /^([a-z_]+)\{((?:[a-z]+="(?:[^"\\]|\\[\\"n])*",?)*)\} (\S+)$/.exec(line)
    if (found === null) {
      t.fail(`no sample: ${line}`)
      continue
    }
    const [, sample = '', pairs = '', value] = found
    if (!sample.startsWith(family)) t.fail(`${sample} is not of ${family}`)
    const plain = (text: string): string =>
      text.replace(/\\(.)/g, (_, letter) => (letter === 'n' ? '\n' : letter))
    const labels = [...pairs.matchAll(/([a-z]+)="((?:[^"\\]|\\.)*)"/g)].map(
      ([, label = '', text = '']) => [label, plain(text)],
    )
    if (Number.isNaN(Number(value)) && value !== '+Inf') t.fail(`no number: ${line}`)
    const number = value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value)
    samples.push({ name: sample, labels: Object.fromEntries(labels), value: number })
  }
  return samples
}

t.test('counters move with traffic, in all three forms', async (t) => {
  const balancer = shop(t)
  const failing = balancer.add({ address: stub(new ConnectError('refused')), name: 'dead' })
  const pool = new Pool('fcgi://127.0.0.1:9')
  t.teardown(() => pool.close())
  const client = new FastCGIClient(balancer)
  const { ask: look } = aloneFace(createStatus({ dispatchers: { shop: client, pool } }))
  const json = async () => JSON.parse((await look({ path: '?format=json' })).body)

  const before = await json()
  t.match(before.dispatchers, [
    { name: 'shop', kind: 'balancer', stats: { requests: 0 }, requestsPerSecond: null },
    { name: 'pool', kind: 'pool', members: [] },
  ])
  t.match(before.dispatchers[0].members[0], {
    state: 'ok',
    route: 'r1',
    headTimes: { count: 0, mean: null, p50: null },
    lastError: null,
  })
  await ask(client, 10)
  const after = await json()
  const [a, b, dead] = after.dispatchers[0].members
  t.equal(after.pid, process.pid)
  t.equal(after.dispatchers[0].stats.requests, 10)
  t.equal(a.counters.connected, 10)
  t.equal(a.counters.bytesReceived, 10_000)
  t.match(a.headTimes, { count: 10, p50: 5 })
  t.equal(a.headTimes.counts.length, BUCKETS.length + 1)
  t.equal(b.counters.connected, 0)
  t.match(dead, { state: 'failed', counters: { died: 1, disabled: 1 } })
  t.match(dead.lastError, { message: 'refused', at: failing.lastError?.at.toISOString() })
  t.match(after.lighttpd, {
    'gw.active-requests': 0,
    'fastcgi.requests': 10,
    'gw.backend.a.connected': 10,
    'gw.backend.a.load': 0,
    'gw.backend.dead.died': 1,
    'gw.backend.dead.disabled': 1,
    'gw.backend.dead.overloaded': 0,
    'gw.backend.pool.connected': 0,
  })

  const samples = parsePrometheus(t, (await look({ path: '?format=prometheus' })).body)
  const value = (name: string, labels: Record<string, string>): number | undefined =>
    samples.find(
      (sample) =>
        sample.name === name &&
        Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
    )?.value
  t.equal(value('fastcgi_requests_total', { dispatcher: 'shop' }), 10)
  t.equal(
    value('fastcgi_retries_total', { dispatcher: 'shop' }),
    after.dispatchers[0].stats.retries,
  )
  t.equal(value('fastcgi_member_requests_total', { member: 'a' }), 10)
  t.equal(value('fastcgi_member_up', { member: 'a' }), 1)
  t.equal(value('fastcgi_member_up', { member: 'b' }), 0)
  t.equal(value('fastcgi_member_state', { member: 'b', state: 'draining' }), 1)
  t.equal(value('fastcgi_member_state', { member: 'b', state: 'ok' }), 0)
  t.equal(value('fastcgi_member_died_total', { member: 'dead' }), 1)
  t.equal(value('fastcgi_member_bytes_received_total', { member: 'a' }), 10_000)
  t.equal(value('fastcgi_member_response_seconds_count', { member: 'a' }), 10)
  t.equal(value('fastcgi_member_response_seconds_bucket', { member: 'a', le: '+Inf' }), 10)
  const buckets = samples.filter(
    ({ name, labels }) =>
      name === 'fastcgi_member_response_seconds_bucket' && labels.member === 'a',
  )
  t.strictSame(
    buckets.map(({ labels }) => labels.le),
    [...BUCKETS.map((bound) => String(bound / 1000)), '+Inf'],
  )
  t.strictSame(
    buckets.map(({ value }) => value),
    buckets.map(({ value }) => value).sort((a, b) => a - b),
    'cumulated',
  )
  t.equal(value('fastcgi_pool_limit', { dispatcher: 'pool' }), 64)
  t.equal(value('fastcgi_pool_limit', { member: 'a' }), 4)

  const page = (await look()).body
  t.match(page, '<span class="state failed">failed</span>')
  t.match(page, '<span class="state draining">draining</span>')
  t.match(page, '9.8 KiB', 'bytes as people read them')
})

t.test('rates are those of the time since the last looks', async (t) => {
  const balancer = shop(t)
  const status = createStatus({ dispatchers: { shop: balancer } })
  const real = performance.now.bind(performance)
  let ahead = 0
  performance.now = () => real() + ahead
  t.teardown(() => {
    performance.now = real
  })
  const perSecond = (): number | null => {
    const { body } = status.respond({ method: 'GET', url: '/?format=json', headers: {} })
    return JSON.parse(body).dispatchers[0].requestsPerSecond
  }
  t.equal(perSecond(), null, 'nothing is known at first')
  await ask(balancer, 20)
  t.equal(perSecond(), null, 'too short a time')
  ahead += 5000
  const first = perSecond() ?? 0
  t.ok(first > 3 && first <= 4, `20 in 5 s: ${first}`)
  ahead += 5000
  const second = perSecond() ?? 0
  t.ok(second > 1.5 && second <= 2.01, `20 in 10 s: ${second}`)
  ahead += 9000
  t.equal(perSecond(), 0, 'none in the last ten')
})

t.test('options', (t) => {
  const dispatchers = {}
  const make = (options: object) => () => createStatus(options as StatusOptions)
  t.throws(make({}), { code: 'FCGI_OPTION', message: /option dispatchers is missing/ })
  t.throws(make({ dispatchers: 1 }), /option dispatchers must be/)
  t.throws(make({ dispatchers, action: true }), /unknown option action;/)
  t.throws(make({ dispatchers, actions: 1 }), /option actions must be true or false/)
  t.throws(make({ dispatchers, title: '' }), /option title/)
  t.throws(make({ dispatchers, refresh: -1 }), /option refresh/)
  t.throws(
    () => expressStatus({ dispatchers, path: '/x' } as unknown as StatusOptions),
    /^fastcgiStatus: unknown option path/,
  )
  const page = (options: object, url = '/') =>
    createStatus({ dispatchers, ...options }).respond({ method: 'GET', url, headers: {} }).body
  t.match(page({}), '<meta http-equiv="refresh" content="5">')
  t.match(page({ refresh: 60 }), 'content="60"')
  t.notMatch(page({ refresh: 0 }), 'http-equiv')
  t.notMatch(page({}, '/?refresh=0'), 'http-equiv')
  t.match(page({ title: 'Shop' }), '<title>Shop</title>')
  t.match(page({}), 'There is nothing to show')
  t.end()
})

t.test('URLs that are none, or name another host', (t) => {
  const balancer = shop(t)
  const status = createStatus({ dispatchers: { shop: balancer }, actions: true })
  const get = (url: string) => status.respond({ method: 'GET', url, headers: {} })
  t.equal(get('http://a b/').status, 400)
  t.equal(get('x').status, 400)
  t.equal(get('/').status, 200)
  const [, nonce = ''] = /name="nonce" value="([^"]+)"/.exec(get('/').body) ?? []
  const post = (url: string) =>
    status.respond({
      method: 'POST',
      url,
      headers: { 'content-type': `${FORM}; charset=utf-8`, origin: 'http://h' },
      body: { nonce, balancer: 'shop', member: 'a', action: 'drain' },
    })
  const { status: code, headers } = post('http://h//evil.example/?refresh=0')
  t.equal(code, 303, 'a form that is parsed already is taken')
  t.equal(headers[headers.indexOf('Location') + 1], '/evil.example/?refresh=0')
  t.equal(post('/').status, 403, 'where the host is not known nothing is changed')
  t.end()
})

t.test('dispatchers of several gateways', (t) => {
  const [one, two] = [stub(), stub()]
  const joined = joinDispatchers([
    { dispatchers: { default: one, shared: two } },
    { dispatchers: { default: two, other: stub() } },
    { dispatchers: { default: stub() } },
  ])
  t.strictSame(Object.keys(joined), ['default', 'shared', 'other', 'default (2)'])
  t.equal(joined.default, one)
  t.end()
})

t.test('Fastify finds the proxies of its scope', async (t) => {
  const peer = await startPeer(wellBehaved())
  t.teardown(() => peer.close())
  const app = Fastify()
  t.teardown(() => app.close())
  const proxy = { checkLocal: false, root: '/srv' }
  // The order does not matter.
  await app.register(fastcgiStatus, { prefix: '/status', path: '/pools' })
  await app.register(fastcgiProxy, { ...proxy, prefix: '/a', upstream: peer.address })
  await app.register(fastcgiProxy, {
    ...proxy,
    prefix: '/b',
    upstream: { name: 'b', members: [peer.address] },
  })
  for (const url of ['/a/x.php', '/b/x.php', '/b/y.php']) await app.inject(url)
  const headers = { accept: 'application/json' }
  const { dispatchers } = (await app.inject({ url: '/status/pools', headers })).json()
  t.match(dispatchers, [
    { name: peer.address, kind: 'pool', stats: { requests: 1 } },
    { name: 'b', kind: 'balancer', stats: { requests: 2 } },
  ])
  t.equal((await app.inject('/status')).statusCode, 404)
})

t.test('Fastify says so when there is nothing to find', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(fastcgiStatus)
  await t.rejects(Promise.resolve(app.ready()), OptionError)
  const other = Fastify()
  t.teardown(() => other.close())
  other.register(fastcgiStatus, { dispatchers: {}, colour: 'red' } as object)
  await t.rejects(Promise.resolve(other.ready()), /unknown option colour/)
})

t.test('the parsers of a Fastify application keep what is theirs', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.addContentTypeParser(FORM, (_request, payload, done) => {
    payload.resume()
    done(null, 'theirs')
  })
  await app.register(fastcgiStatus, { prefix: '/status', dispatchers: {}, actions: true })
  app.post('/other', async (request) => request.body)
  const post = { method: 'POST', payload: 'a=b', headers: { 'content-type': FORM } } as const
  t.equal((await app.inject({ ...post, url: '/other' })).body, 'theirs')
  t.equal((await app.inject({ ...post, url: '/status' })).statusCode, 403)
})

t.test('Express takes what its proxies have', async (t) => {
  const peer = await startPeer(wellBehaved())
  t.teardown(() => peer.close())
  const proxies = ['one', 'two'].map((name) =>
    expressProxy({ checkLocal: false, root: '/srv', upstream: { name, members: [peer.address] } }),
  )
  t.teardown(() => Promise.all(proxies.map((proxy) => proxy.close())))
  const [one, two] = proxies
  if (one === undefined || two === undefined) return
  const app = express()
  app.use('/one/status', expressStatus({ dispatchers: one }))
  app.use('/all/status', expressStatus({ dispatchers: [one, two] }))
  app.use(
    '/some/status',
    expressStatus({ dispatchers: () => ({ mine: two.dispatchers.two as Balancer }) }),
  )
  app.use('/one', one)
  const { ask: get } = await expressFace(t, app, '')
  await get({ path: '/one/x.php' })
  const names = async (path: string): Promise<string[]> => {
    const { body } = await get({ path, headers: { accept: 'application/json' } })
    return JSON.parse(body).dispatchers.map(
      ({ name, stats }: { name: string; stats: { requests: number } }) =>
        `${name} ${stats.requests}`,
    )
  }
  t.strictSame(await names('/one/status'), ['one 1'])
  t.strictSame(await names('/all/status/'), ['one 1', 'two 0'])
  t.strictSame(await names('/some/status'), ['mine 0'])
  t.equal((await get({ path: '/all/status/more' })).status, 404, 'only the path itself')
})

t.test('Express: a form that a body parser has read', async (t) => {
  for (const [what, parser] of [
    ['urlencoded', express.urlencoded({ extended: true })],
    ['text', express.text({ type: FORM })],
    ['raw', express.raw({ type: FORM })],
    ['json, which leaves it alone', express.json()],
  ] as const) {
    const balancer = shop(t)
    const app = express()
    app.use(parser)
    app.use('/s', expressStatus({ dispatchers: { shop: balancer }, actions: true }))
    const face = await expressFace(t, app, '/s')
    t.equal((await submit(face, { member: 'a', action: 'drain' })).status, 303, what)
    t.equal(balancer.members[0]?.status, 'draining', what)
  }
})

t.test('behind a proxy that is trusted, its scheme and host are the page’s', async (t) => {
  const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'shop.example' }
  const origin = 'https://shop.example'
  const balancer = shop(t)
  const options = { dispatchers: { shop: balancer }, actions: true }
  const drain = { member: 'a', action: 'drain' }
  for (const [trusts, status] of [
    [true, 303],
    [false, 403],
  ] as const) {
    const app = express().set('trust proxy', trusts)
    app.use('/s', expressStatus(options))
    const face = await expressFace(t, app, '/s')
    t.equal((await submit(face, drain, { ...forwarded, origin })).status, status)
    const fastify = Fastify({ trustProxy: trusts })
    t.teardown(() => fastify.close())
    await fastify.register(fastcgiStatus, { prefix: '/s', ...options })
    const base = await fastify.listen({ host: '127.0.0.1', port: 0 })
    const other: Face = { ask: asker(base, '/s'), origin: base, path: '/s' }
    t.equal((await submit(other, drain, { ...forwarded, origin })).status, status)
  }
})

t.test('a member that is removed may end what runs on it', async (t) => {
  let end = (): void => {}
  const slow: Dispatcher = {
    ...stub(),
    dispatch(_request, handler) {
      end = () => {
        handler.onHead(200, [], '', true)
        handler.onEnd(0)
      }
      return { resume() {}, abort() {} }
    },
  }
  const balancer = new Balancer({ name: 'shop', members: [{ address: slow, name: 'slow' }] })
  t.teardown(() => balancer.close())
  const face = await startFace(t, 'fastify', { shop: balancer }, { actions: true })
  const done = ask(balancer)
  await until('it runs', () => balancer.members[0]?.counters.load === 1)
  t.equal((await submit(face, { member: 'slow', action: 'remove' })).status, 303)
  t.match((await face.ask()).body, 'It has no members')
  end()
  await done
})
