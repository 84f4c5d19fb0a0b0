/** The status page behind its faces: by itself, in Fastify over HTTP/1.1 and HTTP/2, and in Express. */
import { createHash } from 'node:crypto'
import { createServer, request as httpRequest } from 'node:http'
import { connect } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { Balancer, type ConnectError, type Dispatcher } from '@fastcgi/client'
import { fastcgiStatus as expressStatus } from '@fastcgi/express'
import { fastcgiStatus } from '@fastcgi/fastify'
import { createStatus, type Status, type StatusOptions } from '@fastcgi/gateway'
import express from 'express'
import Fastify from 'fastify'
import t, { type Test } from 'tap'

export const HOSTILE = `"><script>alert('&')</script>\\\nx`
export const FORM = 'application/x-www-form-urlencoded'

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
export function stub(error?: ConnectError): Dispatcher {
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

export function shop(t: Test): Balancer {
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

export async function ask(dispatcher: Dispatcher, times = 1): Promise<void> {
  for (let n = 0; n < times; n++) {
    const params = { REQUEST_METHOD: 'GET', SCRIPT_NAME: '/x' }
    const response = await dispatcher.request({ params, idempotent: true })
    await response.text()
  }
}

/** What a face answers, in one form for all of them. */
export interface Answer {
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
export interface Face {
  ask: Ask
  origin: string
  path: string
}

export type FaceName = 'fastify' | 'http2' | 'express' | 'alone'
export type FaceOptions = Omit<StatusOptions<unknown>, 'dispatchers'>

export async function startFace(
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
  if (name === 'http2') {
    const app = Fastify({ http2: true })
    await app.register(fastcgiStatus, { prefix: path, dispatchers, ...options })
    t.teardown(() => app.close())
    const origin = await app.listen({ host: '127.0.0.1', port: 0 })
    return { ask: askerOverHTTP2(origin, path), origin, path }
  }
  const app = express().set('env', 'production')
  app.use(path, expressStatus({ dispatchers, ...options }))
  return expressFace(t, app, path)
}

export async function expressFace(t: Test, app: express.Express, path: string): Promise<Face> {
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { ask: asker(origin, path), origin, path }
}

export function aloneFace(status: Status): Face {
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
export function asker(origin: string, prefix: string): Ask {
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

/** The same over HTTP/2, on a connection of its own. */
function askerOverHTTP2(origin: string, prefix: string): Ask {
  return ({ method = 'GET', path = '', headers = {}, body } = {}) =>
    new Promise((resolve, reject) => {
      const session = connect(origin)
      session.on('error', reject)
      const pseudo = { ':method': method, ':path': prefix + path }
      const stream = session.request({ ...pseudo, ...headers }, { endStream: body === undefined })
      stream.on('error', reject)
      stream.on('response', async (fields) => {
        let text = ''
        for await (const chunk of stream.setEncoding('utf8')) text += chunk
        session.close()
        const { ':status': status = 0, ...others } = fields
        resolve({ status, headers: others as Record<string, string>, body: text })
      })
      if (body !== undefined) stream.end(body)
    })
}

const FACES: readonly FaceName[] = ['alone', 'fastify', 'http2', 'express']

export function eachFace(name: string, run: (t: Test, face: FaceName) => Promise<void>): void {
  for (const face of FACES) t.test(`${name} (${face})`, (t) => run(t, face))
}

/** The page without its own script and style sheet, which its policy must name by their hashes. */
export function withoutOwnCode(t: Test, { body, headers }: Answer): string {
  const policy = headers['content-security-policy']
  return body.replace(/<(script|style)>(.*?)<\/\1>/gs, (_all, name: string, text: string) => {
    const hash = createHash('sha256').update(text).digest('base64')
    t.match(policy, `${name}-src 'sha256-${hash}';`, `the policy allows this ${name}`)
    return ''
  })
}

export const nonceOf = ({ body }: Answer): string =>
  /name="nonce" value="([^"]+)"/.exec(body)?.[1] ?? ''

/** Sends a form as the page's own would be; `fields` and `headers` are what is different. */
export async function submit(
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
