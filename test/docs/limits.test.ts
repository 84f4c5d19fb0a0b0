/** Every row of docs/limits.md is shown here: the limit, and the way round it. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type ServerOptions } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fastcgiProxy, fastcgiServerOptions } from '@fastcgi/fastify'
import { createGateway } from '@fastcgi/gateway'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import t, { type Test } from 'tap'
import { WORKSPACE } from '../helpers/documents.ts'
import { routerOptions } from '../helpers/framework-versions.ts'
import { type RawResponse, rawConnect, rawGet, rawRequest } from '../helpers/raw-http.ts'
import { startPeer, wellBehaved } from '../helpers/scripted-peer.ts'
import { within } from '../helpers/wait.ts'

/** Tells the target, the number of params and the length of the body. */
const told = wellBehaved(({ params }) => {
  const { REQUEST_METHOD, REQUEST_URI, CONTENT_LENGTH = '' } = params
  return `${REQUEST_METHOD} ${REQUEST_URI} ${Object.keys(params).length} ${CONTENT_LENGTH}`
})

async function route(t: Test) {
  const peer = await startPeer(told)
  t.teardown(() => peer.close())
  const logger = { info() {}, warn() {}, error() {} }
  return { upstream: peer.address, root: '/srv', checkLocal: false, logger } as const
}

/** A gateway under node:http with such options of the server. @returns its port */
async function underHttp(
  t: Test,
  options: ServerOptions,
  more: object = {},
  maxHeadersCount?: number,
): Promise<number> {
  const gateway = createGateway({ ...(await route(t)), ...more })
  const server = createServer(options, gateway.handler).listen(0, '127.0.0.1')
  if (maxHeadersCount !== undefined) server.maxHeadersCount = maxHeadersCount
  t.teardown(async () => {
    server.closeAllConnections()
    server.close()
    await gateway.close()
  })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** A proxy under Fastify with such options of the server. @returns its port */
async function underFastify(
  t: Test,
  options: FastifyServerOptions,
  prefix = '/',
  extend: (app: FastifyInstance) => void = () => {},
): Promise<number> {
  const app = Fastify(options)
  t.teardown(() => app.close())
  app.register(fastcgiProxy, { ...(await route(t)), prefix })
  extend(app)
  await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as AddressInfo).port
}

const field = (bytes: number): string[] => [`X-Long: ${'x'.repeat(bytes)}`]

/** An upload that stops after half of its body. @returns what is answered */
async function halfAnUpload(port: number): Promise<string> {
  const socket = await rawConnect(port)
  socket.on('error', () => {})
  let text = ''
  socket.setEncoding('latin1').on('data', (data) => (text += data))
  socket.write('POST /x.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf ')
  setTimeout(() => socket.write('of it'), 600)
  const ended = once(socket, 'close')
  while (!text.includes('\r\n\r\n'))
    await within('an answer', Promise.race([once(socket, 'data'), ended]))
  socket.destroy()
  return text
}

/** By the first column. */
const ROWS: Record<string, (t: Test) => Promise<void>> = {
  async 'request head of 16 KiB'(t) {
    const long = field(20_000)
    const port = await underHttp(t, {})
    t.equal((await rawGet(port, '/x.php', long)).status, 431)
    const round = await underHttp(t, { maxHeaderSize: 65_536 })
    t.equal((await rawGet(round, '/x.php', long)).status, 200)
    const fastify = await underFastify(t, {
      http: { maxHeaderSize: 65_536 },
    } as FastifyServerOptions)
    t.equal((await rawGet(fastify, '/x.php', long)).status, 200)
  },
  async '`maxParamsSize`, 128 KiB'(t) {
    const port = await underHttp(t, { maxHeaderSize: 262_144 })
    const several = [field(60_000), field(60_000), field(60_000)].map(([line = ''], at) =>
      line.replace('Long', `Long${at}`),
    )
    t.equal((await rawGet(port, '/x.php', several.slice(1))).status, 200)
    t.equal((await rawGet(port, '/x.php', several)).status, 431)
    const round = await underHttp(t, { maxHeaderSize: 262_144 }, { maxParamsSize: 262_144 })
    t.equal((await rawGet(round, '/x.php', several)).status, 200)
  },
  async 'one field of 64 KiB'(t) {
    const port = await underHttp(t, { maxHeaderSize: 262_144 }, { maxParamsSize: 262_144 })
    t.equal((await rawGet(port, '/x.php', field(65_000))).status, 200)
    t.equal((await rawGet(port, '/x.php', field(66_000))).status, 431)
  },
  async 'fields beyond the 1000th'(t) {
    const fields = Array.from({ length: 2500 }, (_, at) => `A${at}:`)
    const options = { maxHeaderSize: 65_536 }
    const { status, body } = await rawGet(await underHttp(t, options), '/x.php', fields)
    const params = (text: string): number => Number(text.split(' ')[2])
    if (process.version.startsWith('v20.')) t.ok(params(body) < 1100, 'the others are left out')
    else t.equal(status, 431)
    const round = await rawGet(await underHttp(t, options, {}, 0), '/x.php', fields)
    t.ok(params(round.body) > 2500)
  },
  async 'methods that Node.js does not know'(t) {
    const port = await underHttp(t, {})
    const send = (method: string): Promise<RawResponse> =>
      rawRequest(port, `${method} /x.php HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
    t.match((await send('PROPFIND')).body, /^PROPFIND /)
    t.equal((await send('FETCH')).status, 400)
  },
  async '`requestTimeout`, 300 s'(t) {
    const short = { requestTimeout: 200, headersTimeout: 200, connectionsCheckingInterval: 50 }
    t.match(await halfAnUpload(await underHttp(t, short)), /^HTTP\/1\.1 408 /)
    const round = await underHttp(t, { ...short, requestTimeout: 0 })
    t.match(await halfAnUpload(round), /^HTTP\/1\.1 200 /)
    const app = Fastify()
    t.equal(app.server.requestTimeout, 0, 'Fastify has none')
  },
  async 'unescaped bytes in a target'(t) {
    const port = await underHttp(t, {})
    for (const target of ['/a b.php', '/a\x01.php', '/a\x7f.php'])
      t.equal((await rawGet(port, target)).status, 400, JSON.stringify(target))
    t.match((await rawGet(port, '/a"<>|.php')).body, 'GET /a"<>|.php ', 'others are passed on')
  },
  async 'paths that are not UTF-8, in Fastify'(t) {
    const port = await underFastify(t, {})
    t.equal((await rawGet(port, '/caf%E9.php')).status, 400)
    const round = await underFastify(t, { ...fastcgiServerOptions })
    t.match((await rawGet(round, '/caf%E9.php')).body, 'GET /caf%E9.php ')
  },
  async 'parameters of 100 characters, in Fastify'(t) {
    const prefix = '/t/:tenant'
    const target = `/t/${'x'.repeat(101)}/a.php`
    const port = await underFastify(t, {}, prefix)
    t.not((await rawGet(port, target)).status, 200)
    const round = await underFastify(t, routerOptions({ maxParamLength: 200 }), prefix)
    t.equal((await rawGet(round, target)).status, 200)
  },
  async '`bodyLimit` of 1 MiB, in Fastify'(t) {
    const port = await underFastify(t, {}, '/', (app) => {
      app.post('/own', (_request, reply) => reply.fastcgi('/x.php'))
      app.post('/large', { bodyLimit: 4_000_000 }, (_request, reply) => reply.fastcgi('/x.php'))
    })
    const post = async (path: string) => {
      const headers = { 'content-type': 'text/plain' }
      const body = 'x'.repeat(2_000_000)
      return (await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', body, headers }))
        .status
    }
    t.equal(await post('/own'), 413)
    t.equal(await post('/large'), 200)
    t.equal(await post('/proxied.php'), 200, 'a proxy streams')
  },
}

for (const [name, run] of Object.entries(ROWS)) t.test(name, run)

t.test('the document has these rows, and no other', async (t) => {
  const text = readFileSync(join(WORKSPACE, 'docs/limits.md'), 'utf8')
  const rows = [...text.matchAll(/^\| (?!limit )([^|-][^|]*?) +\|/gm)].map(([, name]) => name)
  t.strictSame(rows, Object.keys(ROWS))
})
