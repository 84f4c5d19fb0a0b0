import { createGateway, isGone } from '@fastcgi/gateway'
import Koa from 'koa'

const { PHP = 'unix:/run/php/php-fpm.sock', ROOT = '/var/www/site', PORT = '3000' } = process.env

/**
 * Koa middleware that has a gateway answer what is below a path.
 * @param {string} mount
 * @param {import('@fastcgi/gateway').Gateway} gateway
 * @returns {Koa.Middleware}
 */
const fastcgi = (mount, gateway) => (ctx, next) =>
  new Promise((resolve, reject) => {
    const { req, res, ip: address, protocol: scheme, host, originalUrl: url } = ctx
    const client = { address, scheme, host }
    gateway.handle({ req, res, source: req, url, mount, client }, (error, response) => {
      if (isGone(req, res)) ctx.respond = false
      else if (error !== undefined) return reject(error)
      else if (response === undefined) return resolve(next())
      else send(ctx, response)
      resolve(undefined)
    })
  })

/** @type {(ctx: Koa.Context, response: import('@fastcgi/gateway').GatewayResponse) => void} */
function send(ctx, { status, reason, headers, body }) {
  ctx.status = status
  if (reason !== '') ctx.message = reason
  for (let at = 0; at < headers.length; at += 2)
    ctx.append(headers[at] ?? '', headers[at + 1] ?? '')
  if (body !== null) ctx.body = body
  // Koa would write the text of the status.
  else if (ctx.method !== 'HEAD') ctx.body = ''
}

const site = createGateway({
  upstream: PHP,
  root: ROOT,
  guards: [
    { match: '/private/', authorizer: { upstream: PHP, root: ROOT, script: '/authorize.php' } },
  ],
})
const app = new Koa()
app.use(fastcgi('/legacy', site))
app.use((ctx) => {
  if (ctx.path === '/api') ctx.body = { hello: 'from Node' }
})
app.listen(Number(PORT), '127.0.0.1')
