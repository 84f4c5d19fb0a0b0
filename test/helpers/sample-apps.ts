/** One application, written twice: for Express and for Fastify. Neither knows of FastCGI. */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import express, { type Express } from 'express'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'

export const APPS = ['express', 'fastify'] as const
export type AppName = (typeof APPS)[number]

/** What both tell of a request. */
function describe(req: IncomingMessage, ip: string | undefined, protocol: string) {
  const { host, cookie, authorization, 'x-custom': custom, 'content-type': type } = req.headers
  const { method, url } = req
  return { method, url, ip, protocol, host, cookie, authorization, custom, type }
}

async function sha1(body: Readable): Promise<string> {
  const hash = createHash('sha1')
  await pipeline(body, hash)
  return hash.digest('hex')
}

/** So many bytes, which are the same every time. */
function bytes(length: number): Readable {
  const chunk = Buffer.alloc(65_536, '0123456789abcdef\n')
  function* chunks() {
    for (let left = length; left > 0; left -= chunk.length) yield chunk.subarray(0, left)
  }
  return Readable.from(chunks(), { objectMode: false })
}

async function* ticks(): AsyncGenerator<string> {
  for (let n = 1; n <= 5; n++) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    yield `tick ${n}\n`
  }
}

export function expressApp(): Express {
  const app = express().set('env', 'production')
  app.get('/describe{/*rest}', (req, res) => void res.json(describe(req, req.ip, req.protocol)))
  app.post('/json', express.json(), (req, res) => void res.status(201).json({ got: req.body }))
  app.post('/form', express.urlencoded(), (req, res) => void res.json(req.body))
  app.post('/upload', async (req, res) => void res.type('text').send(await sha1(req)))
  app.put('/refuse', (_req, res) => void res.status(413).send('refused unread'))
  app.get('/download', (req, res) => {
    const length = Number(req.query.bytes)
    res.set('Content-Length', String(length)).type('text')
    bytes(length).pipe(res)
  })
  app.get('/stream', (_req, res) => void pipeline(ticks, res.type('text')))
  app.get('/redirect', (_req, res) => res.redirect('/describe?from=redirect'))
  app.get('/moved', (_req, res) => res.redirect(301, 'https://example.org/'))
  app.get('/cookies', (_req, res) => {
    res.cookie('a', '1', { httpOnly: true }).cookie('b', 'two words').vary('Cookie').send('ok')
  })
  app.get('/teapot', (_req, res) => void res.status(418).set('X-Empty', '').send('short'))
  app.get('/nothing', (_req, res) => void res.status(204).end())
  app.get('/error', () => {
    throw new Error('thrown on purpose')
  })
  app.get('/rejected', async () => {
    throw Object.assign(new Error('not to be had'), { status: 422 })
  })
  app.delete('/thing/:id', (req, res) => void res.json({ deleted: req.params.id }))
  return app
}

export function fastifyApp(options: FastifyServerOptions = {}): FastifyInstance {
  const app = Fastify({ ...options, bodyLimit: 1_000_000_000 })
  app.addContentTypeParser('application/octet-stream', (_req, body, done) => done(null, body))
  const tell = (request: { raw: IncomingMessage; ip: string; protocol: string }) =>
    describe(request.raw, request.ip, request.protocol)
  app.get('/describe', tell)
  app.get('/describe/*', tell)
  app.post('/json', (request, reply) => reply.code(201).send({ got: request.body }))
  app.post('/upload', async (request) => sha1(request.body as Readable))
  app.put('/refuse', (_request, reply) => reply.code(413).send('refused unread'))
  app.get<{ Querystring: { bytes: string } }>('/download', (request, reply) => {
    const length = Number(request.query.bytes)
    return reply.header('content-length', length).type('text/plain').send(bytes(length))
  })
  app.get('/stream', (_request, reply) => reply.type('text/plain').send(Readable.from(ticks())))
  app.get('/redirect', (_request, reply) => reply.redirect('/describe?from=redirect'))
  app.get('/moved', (_request, reply) => reply.redirect('https://example.org/', 301))
  app.get('/cookies', (_request, reply) =>
    reply
      .header('set-cookie', ['a=1; HttpOnly', 'b=two%20words'])
      .header('vary', 'Cookie')
      .send('ok'),
  )
  app.get('/teapot', (_request, reply) => reply.code(418).header('x-empty', '').send('short'))
  app.get('/nothing', (_request, reply) => reply.code(204).send())
  app.get('/error', () => {
    throw new Error('thrown on purpose')
  })
  app.get('/rejected', async () => {
    throw Object.assign(new Error('not to be had'), { statusCode: 422 })
  })
  app.delete<{ Params: { id: string } }>('/thing/:id', (request) => ({
    deleted: request.params.id,
  }))
  return app
}
