import { Readable } from 'node:stream'
import { createGateway } from '@fastcgi/gateway'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'

const { PHP = 'unix:/run/php/php-fpm.sock', ROOT = '/var/www/site', PORT = '3000' } = process.env

/** @typedef {{ Bindings: import('@hono/node-server').HttpBindings }} NodeEnv */

/**
 * Hono middleware that has a gateway answer what is below a path.
 * @param {string} mount
 * @param {import('@fastcgi/gateway').Gateway} gateway
 * @returns {import('hono').MiddlewareHandler<NodeEnv>}
 */
const fastcgi = (mount, gateway) => (c, next) =>
  new Promise((resolve, reject) => {
    const { incoming: req, outgoing: res } = c.env
    const client = { address: '', scheme: 'http', host: req.headers.host ?? '' }
    const request = { req, res, source: req, url: req.url ?? '/', mount, client }
    gateway.handle(request, (error, response) => {
      if (error !== undefined) reject(toHTTPException(error))
      else resolve(response === undefined ? next() : toWeb(response))
    })
  })

/** @type {(error: import('@fastcgi/gateway').GatewayError) => HTTPException} */
function toHTTPException(cause) {
  const { statusCode, message } = cause
  const status = /** @type {import('hono/utils/http-status').ContentfulStatusCode} */ (statusCode)
  return new HTTPException(status, { message, cause })
}

/** @type {(response: import('@fastcgi/gateway').GatewayResponse) => Response} */
function toWeb({ status, headers: fields, body }) {
  const headers = new Headers()
  for (let at = 0; at < fields.length; at += 2)
    headers.append(fields[at] ?? '', fields[at + 1] ?? '')
  const content = body instanceof Readable ? Readable.toWeb(body) : body
  return new Response(/** @type {BodyInit | null} */ (content), { status, headers })
}

const site = createGateway({
  upstream: PHP,
  root: ROOT,
  guards: [
    { match: '/private/', authorizer: { upstream: PHP, root: ROOT, script: '/authorize.php' } },
  ],
})
/** @type {Hono<NodeEnv>} */
const app = new Hono()
app.use('/legacy/*', fastcgi('/legacy', site))
app.get('/api', (c) => c.json({ hello: 'from Node' }))
serve({ fetch: app.fetch, port: Number(PORT), hostname: '127.0.0.1' })
