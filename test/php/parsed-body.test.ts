/** Bodies that the framework has read before the request comes to PHP. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import querystring from 'node:querystring'
import { text } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { fastcgiProxy } from '@fastcgi/express'
import express, { type Express } from 'express'
import t, { type Test } from 'tap'
import { startAdapter } from '../helpers/adapters.ts'
import { ask, askJSON } from '../helpers/php-http.ts'
import { NEEDS_FPM, phpFpm, SITE } from '../helpers/php-site.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' }
const VALUE = { name: 'Jürgen ☃', list: [1, 2.5, null, true], nested: { empty: {}, text: '"\\\n' } }

t.test('php-fpm', NEEDS_FPM, async (t) => {
  const { address: upstream } = await phpFpm(t)
  const startExpress = (t: Test, extend: (app: Express) => void) =>
    startAdapter(t, 'express', { upstream, root: SITE, express: extend })
  /** What PHP sees of a POST; the length it was told is checked. */
  const post = async (port: number, headers: Record<string, string>, body: Buffer | string) => {
    const seen = await askJSON(port, '/input.php', { method: 'POST', headers, body })
    const bytes = Buffer.from(seen.body, 'base64')
    t.equal(seen.contentLength, String(bytes.length), 'CONTENT_LENGTH is that of the body')
    return { ...seen, bytes, text: bytes.toString() }
  }

  await t.test('express.json()', async (t) => {
    const { port } = await startExpress(t, (app) => app.use(express.json({ strict: false })))
    for (const value of [VALUE, [], {}, 'text', 7, null, false]) {
      const sent = JSON.stringify(value, undefined, 2)
      t.same(JSON.parse((await post(port, JSON_TYPE, sent)).text), value, sent)
    }
    const other = await post(port, { 'content-type': 'text/x-other' }, 'as it is')
    t.equal(other.text, 'as it is', 'what the parser leaves alone is streamed')
  })

  await t.test('express.json() has inflated the body', async (t) => {
    const { port } = await startExpress(t, (app) => app.use(express.json()))
    const headers = { ...JSON_TYPE, 'content-encoding': 'gzip' }
    const seen = await post(port, headers, gzipSync(JSON.stringify(VALUE)))
    t.same(JSON.parse(seen.text), VALUE)
    t.equal(seen.contentEncoding, null, 'and nothing says that it is compressed')
  })

  await t.test('a compressed body that nobody touched', async (t) => {
    const { port } = await startExpress(t, () => {})
    const zipped = gzipSync('text')
    const seen = await post(port, { ...JSON_TYPE, 'content-encoding': 'gzip' }, zipped)
    t.ok(seen.bytes.equals(zipped))
    t.equal(seen.contentEncoding, 'gzip')
  })

  await t.test('express.urlencoded({ extended: true })', async (t) => {
    const { port } = await startExpress(t, (app) => app.use(express.urlencoded({ extended: true })))
    const sent = 'user[name]=J%C3%BCrgen+%26+Co&user[tags][]=a&user[tags][]=b&empty=&a.b=1'
    const { post: seen } = await post(port, FORM_TYPE, sent)
    const untouched = await startExpress(t, () => {})
    t.same(seen, (await post(untouched.port, FORM_TYPE, sent)).post, 'as without the parser')
    t.match(seen, { user: { name: 'Jürgen & Co', tags: ['a', 'b'] }, empty: '' })
  })

  await t.test(
    'lists, with and without { extended: true }, from Express and Fastify',
    async (t) => {
      const untouched = await startExpress(t, () => {})
      const fastify = await startAdapter(t, 'fastify', {
        upstream,
        root: SITE,
        fastify: (app) => {
          const type = FORM_TYPE['content-type']
          // As @fastify/formbody does.
          app.addContentTypeParser(type, { parseAs: 'string' }, (_request, body, done) =>
            done(null, querystring.parse(String(body))),
          )
          app.post('/form', (_request, reply) => reply.fastcgi('/input.php'))
        },
      })
      for (const sent of [
        'days[]=mon&days[]=tue',
        'days%5B%5D=mon',
        'a[b][]=1&a[b][]=2&a[c]=3',
        'a[0]=x&a[1]=y',
        'a[][x]=1&a[][x]=2&b=%E2%98%83',
      ]) {
        const { post: wanted } = await post(untouched.port, FORM_TYPE, sent)
        for (const extended of [true, false]) {
          const app = await startExpress(t, (app) => app.use(express.urlencoded({ extended })))
          const { post: seen } = await post(app.port, FORM_TYPE, sent)
          // A list of maps is merged by the nested parser before the gateway gets it.
          if (!(extended && sent.includes('[][x]'))) t.same(seen, wanted, `${sent} ${extended}`)
        }
        const request = { method: 'POST', headers: FORM_TYPE, body: sent }
        t.same((await askJSON(fastify.port, '/form', request)).post, wanted, `${sent} Fastify`)
      }
    },
  )

  await t.test('express.raw()', async (t) => {
    const { port } = await startExpress(t, (app) => app.use(express.raw({ type: '*/*' })))
    const sent = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    t.ok((await post(port, { 'content-type': 'application/x-any' }, sent)).bytes.equals(sent))
  })

  await t.test('express.text()', async (t) => {
    const { port } = await startExpress(t, (app) => app.use(express.text({ type: '*/*' })))
    t.equal((await post(port, { 'content-type': 'text/plain' }, 'Jürgen ☃')).text, 'Jürgen ☃')
    const latin1 = Buffer.from('Jürgen', 'latin1')
    const type = { 'content-type': 'text/plain; charset=iso-8859-1' }
    t.ok((await post(port, type, latin1)).bytes.equals(latin1), 'in the charset it came in')
  })

  await t.test('chunks that express.json() has read', async (t) => {
    const { port } = await startExpress(t, (app) => app.use(express.json()))
    const body = [Buffer.from(JSON.stringify(VALUE))]
    const seen = await askJSON(port, '/input.php', { method: 'POST', headers: JSON_TYPE, body })
    t.same(JSON.parse(Buffer.from(seen.body, 'base64').toString()), VALUE)
  })

  await t.test('a multipart body that somebody else has read', async (t) => {
    const errors: Array<{ code: string; cause: Error }> = []
    const app = express()
    // As multer does.
    app.use(async (req, _res, next) => {
      req.body = { title: (await text(req)).length }
      next()
    })
    const logger = { info() {}, warn() {}, error() {} }
    const proxy = fastcgiProxy({ upstream, root: SITE, logger })
    app.use(proxy)
    app.use(((error, _req, res, _next) => {
      errors.push(error)
      res.status(error.status).send(error.message)
    }) as express.ErrorRequestHandler)
    const server = createServer(app).listen(0, '127.0.0.1')
    t.teardown(async () => {
      server.closeAllConnections()
      server.close()
      await proxy.close()
    })
    await new Promise((resolve) => server.once('listening', resolve))
    const { status, body } = await ask((server.address() as AddressInfo).port, '/input.php', {
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
      body: '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n',
    })
    t.equal(status, 500)
    t.equal(body.toString(), 'Internal Server Error')
    t.equal(errors[0]?.code, 'FCGI_BODY_CONSUMED')
    t.match(errors[0]?.cause.message, /multipart\/form-data.*register .* before body parsers/)
  })

  await t.test('reply.fastcgi() from a route of Fastify', async (t) => {
    const { port } = await startAdapter(t, 'fastify', {
      upstream,
      root: SITE,
      fastify: (app) => {
        app.post('/hook', (_request, reply) => reply.fastcgi('/input.php'))
        app.get('/info', (_request, reply) =>
          reply.fastcgi('/server.php/more?a=1', { env: { X_ROUTE: 'info' } }),
        )
      },
    })
    const body = JSON.stringify(VALUE, undefined, 1)
    const seen = await askJSON(port, '/hook', { method: 'POST', headers: JSON_TYPE, body })
    const bytes = Buffer.from(seen.body, 'base64')
    t.same(JSON.parse(bytes.toString()), VALUE)
    t.equal(seen.contentLength, String(bytes.length))
    const plain = { 'content-type': 'text/plain' }
    const said = await askJSON(port, '/hook', { method: 'POST', headers: plain, body: 'Jürgen' })
    t.equal(Buffer.from(said.body, 'base64').toString(), 'Jürgen')
    const params = await askJSON(port, '/info?b=2')
    const param = (name: string) => Buffer.from(params[name] ?? '', 'hex').toString()
    t.same(['SCRIPT_NAME', 'PATH_INFO', 'QUERY_STRING', 'REQUEST_URI', 'X_ROUTE'].map(param), [
      '/server.php',
      '/more',
      'a=1',
      '/info?b=2',
      'info',
    ])
  })
})
