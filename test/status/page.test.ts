/** The status of balancers and pools: its formats, its fields, and what comes from outside. */
import { Balancer, ConnectError } from '@fastcgi/client'
import { fastcgiStatus as expressStatus } from '@fastcgi/express'
import { createStatus, type StatusOptions } from '@fastcgi/gateway'
import { joinDispatchers } from '@fastcgi/gateway/internal'
import t from 'tap'
import { parsePrometheus } from '../helpers/prometheus-text.ts'
import {
  ask,
  eachFace,
  FORM,
  HOSTILE,
  shop,
  startFace,
  stub,
  submit,
  withoutOwnCode,
} from '../helpers/status-faces.ts'

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
  t.match(policy, "default-src 'none'")
  t.match(policy, "form-action 'self'")
  t.notMatch(policy, /unsafe|\*|https?:/)
  const rest = withoutOwnCode(t, first)
  t.notMatch(
    rest,
    / style=| on\w+=|<script|<style|https?:\/\//,
    'nothing else, nothing from elsewhere',
  )
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
  const face = await startFace(
    t,
    name,
    { [HOSTILE]: balancer },
    { title: HOSTILE, actions: () => true },
  )
  const page = await face.ask()
  const body = withoutOwnCode(t, page)
  t.match(body, 'Gets no requests')
  t.match(body, '&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;')
  t.notMatch(body, /<script|">\s*&lt;/)
  const told = await submit(face, { balancer: HOSTILE, action: HOSTILE })
  t.equal(told.status, 400)
  t.match(told.body, 'There is no action &quot;&gt;&lt;script&gt;')
  t.notMatch(withoutOwnCode(t, told), '<script')
  const json = JSON.parse((await face.ask({ path: '?format=json' })).body)
  t.equal(json.dispatchers[0].members[0].lastError.message, HOSTILE)
  const text = (await face.ask({ path: '?format=prometheus' })).body
  const up = parsePrometheus(t, text).filter((sample) => sample.name === 'fastcgi_member_up')
  t.strictSame(up, [
    { name: 'fastcgi_member_up', labels: { route: HOSTILE, member: HOSTILE }, value: 0 },
    { name: 'fastcgi_member_up', labels: { route: HOSTILE, member: 'fine' }, value: 1 },
  ])
})

t.test('options', (t) => {
  const dispatchers = {}
  const make = (options: object) => () => createStatus(options as StatusOptions)
  t.throws(make({}), { code: 'FCGI_OPTION', message: /option dispatchers is missing/ })
  t.throws(make({ dispatchers: 1 }), /option dispatchers must be/)
  t.throws(make({ dispatchers, action: true }), /unknown option action;/)
  t.throws(make({ dispatchers, actions: 1 }), /option actions must be false, or a function/)
  t.throws(make({ dispatchers, actions: true }), /option actions must be false, or a function/)
  t.throws(make({ dispatchers, title: '' }), /option title/)
  t.throws(make({ dispatchers, refresh: -1 }), /option refresh/)
  t.throws(
    () => expressStatus({ dispatchers, path: '/x' } as never),
    /^fastcgiStatus: unknown option path/,
  )
  const page = (options: object, url = '/') =>
    createStatus({ dispatchers, ...options }).respond({ method: 'GET', url, headers: {} }).body
  t.match(page({}), '<noscript><meta http-equiv="refresh" content="5"></noscript>')
  t.match(page({}), '<body data-refresh="5">')
  t.match(page({ refresh: 60 }), 'content="60"')
  for (const still of [page({ refresh: 0 }), page({}, '/?refresh=0')]) {
    t.notMatch(still, 'http-equiv')
    t.match(still, '<body data-refresh="0">')
  }
  const withForms = page({ actions: () => true })
  t.notMatch(withForms, 'http-equiv', 'without its script it does not lose what is typed')
  t.match(page({ title: 'Shop' }), '<title>Shop</title>')
  t.match(page({}), 'There is nothing to show')
  t.end()
})

t.test('URLs that are none, or name another host', (t) => {
  const balancer = shop(t)
  const status = createStatus({ dispatchers: { shop: balancer }, actions: () => true })
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

t.test('scripts that work on after their response are named, as text', async (t) => {
  const afterWork = [{ script: `/srv/${HOSTILE}.php`, idempotent: false, milliseconds: 3000 }]
  const dispatcher = new Proxy(stub(), {
    get: (target, name) =>
      name === 'stats' ? { ...target.stats, afterWork } : Reflect.get(target, name),
  })
  const status = createStatus({ dispatchers: { shop: dispatcher } })
  const body = (url: string, accept: string): string =>
    String(status.respond({ method: 'GET', url, headers: { accept } }).body)
  const page = body('/', 'text/html')
  t.match(page, /Scripts that work on after their response/)
  t.notOk(page.includes(HOSTILE))
  t.strictSame(JSON.parse(body('/', 'application/json')).dispatchers[0].stats.afterWork, afterWork)
})
