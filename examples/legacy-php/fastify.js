// The example app with Fastify: a PHP site below /legacy beside routes in Node.
import { fastcgiProxy, fastcgiServerOptions } from '@fastcgi/fastify'
import Fastify from 'fastify'
import { homePage } from './home.js'

const links = [
  { path: '/legacy/', text: 'The PHP site' },
  { path: '/api/hello', text: 'A route in Node' },
  { path: '/report', text: 'A route in Node that PHP answers' },
]

/**
 * @param {object} options
 * @param {string} options.upstream where PHP listens, such as unix:/run/php/php-fpm.sock
 * @param {string} options.root absolute path of the PHP site
 * @param {import('fastify').FastifyServerOptions['logger']} [options.logger]
 */
export function createApp({ upstream, root, logger = false }) {
  const app = Fastify({ ...fastcgiServerOptions, logger })

  app.register(fastcgiProxy, {
    prefix: '/legacy',
    upstream,
    root,
    index: 'index.php',
    frontController: '/index.php',
    static: true,
  })

  app.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(homePage(links)))
  app.get('/api/hello', () => ({ hello: 'from Node' }))
  app.get('/report', (_request, reply) => reply.fastcgi('/report.php'))

  return app
}
