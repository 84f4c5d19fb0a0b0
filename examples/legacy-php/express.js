// The example app with Express: a PHP site below /legacy beside routes in Node.
import { fastcgiProxy } from '@fastcgi/express'
import express from 'express'
import { homePage } from './home.js'

const links = [
  { path: '/legacy/', text: 'The PHP site' },
  { path: '/api/hello', text: 'A route in Node' },
]

/**
 * @param {object} options
 * @param {string} options.upstream where PHP listens, such as unix:/run/php/php-fpm.sock
 * @param {string} options.root absolute path of the PHP site
 */
export function createApp({ upstream, root }) {
  const app = express()

  // Before any body parser, so that request bodies are streamed to PHP.
  const legacy = fastcgiProxy({
    upstream,
    root,
    index: 'index.php',
    frontController: '/index.php',
    static: true,
  })
  app.use('/legacy', legacy)

  app.get('/', (_request, response) => {
    response.send(homePage(links))
  })
  app.get('/api/hello', (_request, response) => {
    response.json({ hello: 'from Node' })
  })

  // Express has no hook for the end of an app: call this after closing the server.
  app.locals.close = () => legacy.close()
  return app
}
