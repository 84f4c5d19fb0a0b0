/** What the middleware and the plugins of the examples do to the answers of PHP, and to routes of Node. */
import type { Test } from 'tap'

type Check = (t: Test, url: string) => Promise<void>

async function helmet(t: Test, url: string): Promise<void> {
  const response = await fetch(`${url}/legacy/`)
  t.equal(response.headers.get('x-content-type-options'), 'nosniff', 'helmet')
  await response.text()
}

async function session(t: Test, url: string): Promise<void> {
  const [cookie] = (await fetch(`${url}/legacy/`)).headers.getSetCookie()
  t.match(cookie, /^connect\.sid=/, 'the cookie of the session, with an answer of PHP')
}

async function parsers(t: Test, url: string): Promise<void> {
  const form = await fetch(`${url}/api/form`, {
    method: 'POST',
    body: new URLSearchParams({ a: 'b' }),
  })
  t.same(await form.json(), { a: 'b' }, 'a form for Node')
  const body = new FormData()
  body.set('file', new Blob(['12345']), 'a.txt')
  const upload = await fetch(`${url}/api/upload`, { method: 'POST', body })
  t.same(await upload.json(), { size: 5 }, 'an upload for Node')
}

async function compressed(t: Test, url: string): Promise<void> {
  const response = await fetch(`${url}/legacy/long.php`)
  t.equal(response.headers.get('content-encoding'), 'gzip', 'an answer of PHP is compressed')
  t.equal(await response.text(), 'PHP '.repeat(2000))
}

async function rateLimit(t: Test, url: string): Promise<void> {
  const response = await fetch(`${url}/legacy/`)
  t.equal(response.headers.get('x-ratelimit-limit'), '100', 'requests for PHP count')
  await response.text()
}

async function files(t: Test, url: string): Promise<void> {
  t.match(await (await fetch(`${url}/files/style.css`)).text(), 'body {', '@fastify/static')
  const source = await fetch(`${url}/files/index.php`)
  t.equal(source.status, 404, 'the source of a script')
  await source.text()
}

/** By the framework. */
export const FRAMEWORK_CHECKS: Readonly<Record<'express' | 'fastify', readonly Check[]>> = {
  express: [helmet, session, parsers, compressed],
  fastify: [helmet, parsers, compressed, rateLimit, files],
}
