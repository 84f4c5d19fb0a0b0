/** The option errorPage: failures as pages, for every adapter, in the format that the client asks for. */
import t from 'tap'
import { eachAdapter, startAdapter } from '../helpers/adapters.ts'
import { nothingEscapes } from '../helpers/strict.ts'

nothingEscapes()

const DEAD = 'unix:/nonexistent/php.sock'
const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8'
const options = { upstream: DEAD, root: '/srv/<site>', checkLocal: false, deny: ['/private/'] }

async function ask(url: string, accept?: string, method = 'GET') {
  const response = await fetch(url, { method, headers: accept === undefined ? {} : { accept } })
  const type = response.headers.get('content-type') ?? ''
  return { status: response.status, type, text: await response.text(), headers: response.headers }
}

await eachAdapter(t, 'a page without details, for browsers', async (t, name) => {
  const { url, log } = await startAdapter(t, name, { ...options, errorPage: true })
  const { status, type, text, headers } = await ask(`${url}/x.php`, BROWSER)
  t.equal(status, 502)
  t.match(type, /^text\/html/)
  t.match(
    text,
    /<h1>502 Bad Gateway<\/h1>\n<p>The application behind this page did not give a whole/,
  )
  t.notMatch(text, /nonexistent|FCGI|srv/, 'nothing about addresses and paths')
  t.match(headers.get('content-security-policy'), "default-src 'none'")
  t.equal(headers.get('cache-control'), 'no-store')
  t.match(log.join('\n'), 'cannot connect to unix:/nonexistent/php.sock', 'it is logged as before')
})

await eachAdapter(t, 'details: the cause, its code and what to look at', async (t, name) => {
  const { url } = await startAdapter(t, name, { ...options, errorPage: { details: true } })
  const { text } = await ask(`${url}/x.php`, BROWSER)
  t.match(
    text,
    '<dd>cannot connect to unix:/nonexistent/php.sock (option upstream): there is no such',
  )
  t.match(text, '<dt>look at</dt><dd>start the application, or correct the option upstream</dd>')
  const denied = await ask(`${url}/private/%3Cb%3E`, BROWSER)
  t.equal(denied.status, 403)
  t.match(denied.text, 'This path is not for visitors.')
  t.match(denied.text, '/private/&lt;b&gt; is denied', 'what a client sends is escaped')
})

await eachAdapter(t, 'text without a preference, JSON only if asked for', async (t, name) => {
  const { url } = await startAdapter(t, name, { ...options, errorPage: { details: true } })
  for (const accept of [undefined, '*/*', 'text/plain', 'image/png'])
    t.match(await ask(`${url}/x.php`, accept), {
      status: 502,
      type: /^text\/plain/,
      text: /^502 Bad Gateway\nThe application .*\ncause: cannot connect.*\ncode: FCGI_CONNECT\n/,
    })
  const { type, text } = await ask(`${url}/x.php`, 'application/json')
  t.equal(type, 'application/json')
  t.match(JSON.parse(text), { error: '502 Bad Gateway', code: 'FCGI_CONNECT' })
  const head = await ask(`${url}/x.php`, BROWSER, 'HEAD')
  t.match(head, { status: 502, text: '' })
})

await eachAdapter(t, 'statuses below 500 keep their text, 503 its Retry-After', async (t, name) => {
  const { url } = await startAdapter(t, name, { ...options, errorPage: true, maxBodySize: 1 })
  const response = await fetch(`${url}/x.php`, { method: 'POST', body: 'too long' })
  t.equal(response.status, 413)
  t.match(await response.text(), /^413 Payload Too Large\n.*\(option maxBodySize\)/)
})

t.test('node:http: a path that is not the gateway’s', async (t) => {
  const site = { root: t.testdir({ 'x.txt': '' }), upstream: DEAD, errorPage: { details: true } }
  const { url } = await startAdapter(t, 'http', site)
  const { status, text } = await ask(`${url}/none/`, BROWSER)
  t.equal(status, 404)
  t.match(text, 'There is nothing at this address.')
  t.match(text, 'a directory is shown by its index file (option index)')
})
