import { createServer } from 'node:http'
import { createGateway, isGone, writeResponse } from '@fastcgi/gateway'
import next from 'next'

const { PHP = 'unix:/run/php/php-fpm.sock', ROOT = '/var/www/site', PORT = '3000' } = process.env
const site = createGateway({
  upstream: PHP,
  root: ROOT,
  guards: [
    { match: '/private/', authorizer: { upstream: PHP, root: ROOT, script: '/authorize.php' } },
  ],
})

const app = next({ dev: process.env.NODE_ENV !== 'production' })
await app.prepare()
const handle = app.getRequestHandler()

createServer((req, res) => {
  const url = req.url ?? '/'
  const client = { address: '', scheme: 'http', host: req.headers.host ?? '' }
  site.handle({ req, res, source: req, url, mount: '/legacy', client }, (error, response) => {
    if (isGone(req, res)) return
    if (response !== undefined) writeResponse(res, response)
    else if (error === undefined) handle(req, res)
    else {
      res.statusCode = error.statusCode
      app.renderError(error, req, res, '/legacy')
    }
  })
}).listen(Number(PORT), '127.0.0.1')
