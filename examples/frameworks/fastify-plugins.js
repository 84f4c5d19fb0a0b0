import { fastcgiAuthorizer, fastcgiProxy } from '@fastcgi/fastify'
import compress from '@fastify/compress'
import cookie from '@fastify/cookie'
import formbody from '@fastify/formbody'
import helmet from '@fastify/helmet'
import multipart from '@fastify/multipart'
import rateLimit from '@fastify/rate-limit'
import files from '@fastify/static'
import underPressure from '@fastify/under-pressure'
import Fastify from 'fastify'

const { PHP = 'unix:/run/php/php-fpm.sock', ROOT = '/var/www/site', PORT = '3000' } = process.env
const php = { upstream: PHP, root: ROOT }
const app = Fastify()
await app.register(underPressure, { maxEventLoopDelay: 1000 })
await app.register(rateLimit, { max: 100 })
await app.register(helmet)
await app.register(compress, { threshold: 0 })
await app.register(cookie)
// Parsers of bodies are for the routes of Node. Those of PHP are in a scope without any, so PHP gets the body unread.
await app.register(formbody)
await app.register(multipart, { limits: { fileSize: 1_000_000 } })

app.register(async (scope) => {
  scope.register(fastcgiAuthorizer, { ...php, script: '/authorize.php', match: '/legacy/private/' })
  scope.register(fastcgiProxy, { ...php, prefix: '/legacy' })
})
app.register(files, {
  root: ROOT,
  prefix: '/files/',
  allowedPath: (path) => !path.endsWith('.php'),
})

app.get('/api', () => ({ hello: 'from Node' }))
app.post('/api/form', (request) => request.body)
app.post('/api/upload', async (request) => {
  const file = await request.file()
  return { size: (await file?.toBuffer())?.length }
})
await app.listen({ port: Number(PORT) })
