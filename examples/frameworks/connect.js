import { createServer } from 'node:http'
import { fastcgiProxy } from '@fastcgi/express'
import connect from 'connect'

const { PHP = 'unix:/run/php/php-fpm.sock', ROOT = '/var/www/site', PORT = '3000' } = process.env
const app = connect()
app.use(
  '/legacy',
  fastcgiProxy({
    upstream: PHP,
    root: ROOT,
    guards: [
      {
        match: '/private/',
        authorizer: { upstream: PHP, root: ROOT, script: '/authorize.php' },
      },
    ],
  }),
)
app.use('/api', (_req, res) => {
  res.setHeader('Content-Type', 'application/json')
  res.end(JSON.stringify({ hello: 'from Node' }))
})
createServer(app).listen(Number(PORT), '127.0.0.1')
