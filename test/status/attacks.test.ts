/** The actions of the status page against other sites, and against names that are made to do harm. */
import type { Balancer } from '@fastcgi/client'
import type { Test } from 'tap'
import {
  type Answer,
  eachFace,
  type Face,
  FORM,
  nonceOf,
  shop,
  startFace,
  submit,
  withoutOwnCode,
} from '../helpers/status-faces.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { within } from '../helpers/wait.ts'

nothingEscapes()

const DRAIN = { member: 'a', action: 'drain' }
const EVIL = 'https://evil.example'
const actions = (): boolean => true

function stateOf({ members }: Balancer): string {
  return members.map(({ name, status, weight }) => `${name} ${status} ${weight}`).join()
}

/** What every response says about caches, frames and other sites. */
function guarded(t: Test, { headers, body }: Answer, what: string): void {
  // Fastify itself refuses a Content-Type that is malformed, and tells nothing of the page.
  if (body.includes('FST_ERR_CTP_INVALID_MEDIA_TYPE')) return
  t.match(
    headers,
    {
      'cache-control': 'no-store',
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
      'content-security-policy': /^default-src 'none'; frame-ancestors 'none'/,
      'cross-origin-resource-policy': 'same-origin',
      'cross-origin-opener-policy': 'same-origin',
      'referrer-policy': 'same-origin',
    },
    what,
  )
  t.notOk('access-control-allow-origin' in headers || 'etag' in headers, what)
}

type Fields = Record<string, string | undefined>

/** Fields that differ from those of the page's own form, and the status. */
const FORGED = (origin: string, page: string): ReadonlyArray<readonly [number, Fields]> => [
  [403, { origin: EVIL }],
  [403, { origin: EVIL, referer: page }],
  [403, { origin: 'null' }],
  [403, { origin: 'null', referer: page }],
  [403, { origin: `${origin}.evil.example` }],
  [403, { origin: `${origin}/` }],
  [403, { origin: `${origin}, ${EVIL}` }],
  [403, { origin: origin.toUpperCase() }],
  [403, { origin: origin.replace(/^https?:/, '') }],
  [403, { origin: origin.replace(/:\d+$/, ':1').replace(/org$/, 'com') }],
  [403, { origin: undefined }],
  [403, { origin: undefined, referer: `${EVIL}/${page}` }],
  [403, { origin: undefined, referer: `${origin}@evil.example/` }],
  [403, { origin: undefined, referer: `${origin}.evil.example/` }],
  [403, { origin: undefined, referer: 'about:blank' }],
  [403, { origin: undefined, referer: 'data:text/html,x' }],
  [403, { origin: undefined, referer: '/' }],
  [403, { origin: undefined, 'sec-fetch-site': 'same-origin' }],
  [403, { 'sec-fetch-site': 'cross-site' }],
  [403, { 'sec-fetch-site': 'same-site' }],
  [403, { 'sec-fetch-site': 'same-origin, cross-site' }],
  [403, { 'sec-fetch-site': 'cross-site', origin: undefined, referer: page }],
  [403, { origin: EVIL, 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' }],
  [403, { origin: EVIL, forwarded: 'host=evil.example;proto=https' }],
  [415, { 'content-type': 'text/plain' }],
  [415, { 'content-type': 'application/json' }],
  [415, { 'content-type': 'multipart/form-data; boundary=x' }],
  [415, { 'content-type': `text/plain; ${FORM}` }],
  [415, { 'content-type': `${FORM}, text/plain` }],
  [415, { 'content-type': `${FORM}x` }],
  [415, { 'content-type': undefined }],
]

const OWN = (origin: string, page: string): readonly Fields[] => [
  {},
  { 'sec-fetch-site': 'same-origin' },
  { 'sec-fetch-site': 'none' },
  { origin: undefined, referer: page },
  { origin, referer: `${EVIL}/` },
  { 'content-type': `${FORM.toUpperCase()}; charset=utf-8` },
]

eachFace('forms of other sites', async (t, name) => {
  const balancer = shop(t)
  const face = await startFace(t, name, { shop: balancer }, { actions })
  const page = `${face.origin}${face.path}`
  const before = stateOf(balancer)
  for (const [status, fields] of FORGED(face.origin, page)) {
    const what = JSON.stringify(fields)
    const answer = await within(what, submit(face, DRAIN, fields))
    t.equal(answer.status, status, what)
    t.equal(stateOf(balancer), before, what)
    guarded(t, answer, what)
  }
  for (const fields of OWN(face.origin, page)) {
    const what = JSON.stringify(fields)
    const answer = await within(what, submit(face, DRAIN, fields))
    t.equal(answer.status, 303, what)
    t.equal(balancer.members[0]?.status, 'draining', what)
    guarded(t, answer, what)
    balancer.update('a', { status: 'enabled' })
  }
})

eachFace('tokens', async (t, name) => {
  const balancer = shop(t)
  const face = await startFace(t, name, { shop: balancer }, { actions })
  const before = stateOf(balancer)
  const nonce = nonceOf(await face.ask())
  for (const wrong of ['', 'x', nonce.slice(1), `${nonce}x`, nonce.toLowerCase(), `${nonce} `]) {
    const answer = await within('an answer', submit(face, { ...DRAIN, nonce: wrong }))
    t.equal(answer.status, 403, wrong)
    t.equal(stateOf(balancer), before)
  }
  t.notMatch(JSON.stringify(await face.ask({ path: '?format=json' })), nonce)
  t.notMatch(JSON.stringify(await face.ask({ path: '?format=prometheus' })), nonce)
})

eachFace('methods other than POST', async (t, name) => {
  const balancer = shop(t)
  const face = await startFace(t, name, { shop: balancer }, { actions })
  const before = stateOf(balancer)
  const nonce = nonceOf(await face.ask())
  const form = new URLSearchParams({ nonce, balancer: 'shop', ...DRAIN }).toString()
  const headers = { 'content-type': FORM, origin: face.origin, 'x-http-method-override': 'POST' }
  for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'TRACE'])
    for (const path of ['', `?${form}`, `?_method=POST&${form}`]) {
      const body = !['PUT', 'PATCH'].includes(method) ? {} : { body: form }
      const answer = await within(method, face.ask({ method, path, headers, ...body }))
      const allowed = method === 'GET' || method === 'HEAD'
      t.ok(
        allowed ? answer.status === 200 : [404, 405].includes(answer.status),
        `${method} ${path}`,
      )
      t.equal(stateOf(balancer), before, `${method} ${path}`)
      // Fastify answers methods that the plugin has no route for.
      if (answer.status !== 404) guarded(t, answer, method)
    }
})

eachFace('fields of every response', async (t, name) => {
  const { ask } = await startFace(t, name, { shop: shop(t) })
  for (const path of ['', '?format=html', '?format=json', '?format=prometheus', '?format=x'])
    for (const method of ['GET', 'HEAD', 'POST']) {
      const answer = await within(path, ask({ method, path, headers: { origin: EVIL } }))
      guarded(t, answer, `${method} ${path}`)
    }
  const conditional = { 'if-none-match': '*', 'if-modified-since': new Date().toUTCString() }
  t.equal((await within('the page', ask({ headers: conditional }))).status, 200, 'never 304')
})

const CONTROLS = [
  'x\r\nSet-Cookie: evil=1',
  'x\ny',
  'x\0',
  '\u001b[2J',
  'x\u0085y',
  'x\u2028y',
  '\x7f',
  '\t',
]

eachFace('control characters in names and routes', async (t, name) => {
  const balancer = shop(t)
  const face = await startFace(t, name, { shop: balancer }, { actions })
  const before = stateOf(balancer)
  const good = { action: 'add', address: 'fcgi://127.0.0.1:9', name: 'c', route: 'c', weight: '1' }
  for (const field of ['address', 'name', 'route', 'weight'])
    for (const value of CONTROLS) {
      const what = `${field} ${encodeURIComponent(value)}`
      const answer = await within(what, submit(face, { ...good, [field]: value }))
      t.equal(answer.status, 400, what)
      t.match(answer.body, `The field ${field} has a control character`, what)
      t.equal(stateOf(balancer), before, what)
      t.notOk('set-cookie' in answer.headers, what)
    }
})

const NAMES = [
  '"><script>alert(1)</script>',
  "' onfocus='alert(1)' autofocus='",
  '" formaction="https://evil.example/',
  '</title></style></bdi><form action=https://evil.example>',
  '&lt;img src=x onerror=alert(1)&gt;',
  '<!--',
  ']]>',
  'javascript:alert(1)',
  '%0d%0aSet-Cookie: evil=1',
  '\u202eevil',
  '__proto__',
]

/** A page without its texts and the values of its attributes, and without charts, which begin when the clock says so. */
function skeleton(t: Test, page: Answer): string {
  const tags =
    withoutOwnCode(t, page)
      .replace(/<div class="charts".*?<\/div>/gs, '')
      .match(/<[^>]*>/g) ?? []
  return tags.map((tag) => tag.replace(/="[^"]*"/g, '')).join('\n')
}

async function pageWith(t: Test, name: string, face: Face): Promise<Answer> {
  const fields = { action: 'add', address: 'fcgi://127.0.0.1:9', name, route: name }
  const added = await within('an answer', submit(face, fields))
  t.equal(added.status, 303, name)
  t.notOk('set-cookie' in added.headers)
  const page = await within('the page', face.ask())
  const removed = await within('an answer', submit(face, { action: 'remove', member: name }))
  t.equal(removed.status, 303, `${name} is removed by its name`)
  return page
}

eachFace('markup in names and routes', async (t, name) => {
  // One of its own for each, for the page lists what has happened.
  const start = (): Promise<Face> => startFace(t, name, { shop: shop(t) }, { actions })
  const harmless = skeleton(t, await pageWith(t, 'c', await start()))
  for (const hostile of NAMES) {
    const page = await pageWith(t, hostile, await start())
    t.equal(skeleton(t, page), harmless, hostile)
    t.notMatch(JSON.stringify(page.headers), /evil|alert/)
  }
})

eachFace('an action, a member and a balancer that are reported back', async (t, name) => {
  const face = await startFace(t, name, { shop: shop(t) }, { actions })
  for (const format of ['html', 'json', 'prometheus'])
    for (const field of ['action', 'member', 'balancer'])
      for (const hostile of NAMES) {
        const form = { ...DRAIN, [field]: hostile }
        const asked = {
          ...face,
          ask: (one = {}) => face.ask({ path: `?format=${format}`, ...one }),
        }
        const nonce = nonceOf(await face.ask())
        const answer = await within(hostile, submit(asked, { ...form, nonce }))
        t.equal(answer.status, 400, `${format} ${field} ${hostile}`)
        guarded(t, answer, hostile)
        if (format === 'html')
          t.notMatch(withoutOwnCode(t, answer), /<script|<img|<form action|onfocus='/)
        t.notMatch(JSON.stringify(answer.headers), /evil|alert/)
      }
})
