/** A sample application as a program of its own: sample-program.js express|fastify|authorizer [switches]. */
import { allow, createServer, deny, type FastCGIServer } from '@fastcgi/application'
import { expressApp, fastifyApp } from './sample-apps.ts'

const [, , name] = process.argv

async function makeServer(): Promise<FastCGIServer> {
  if (name === 'express') return createServer(expressApp())
  if (name === 'fastify') {
    let server: FastCGIServer | undefined
    const app = fastifyApp({
      serverFactory: (handler) => {
        server = createServer(handler)
        return server
      },
    })
    await app.ready()
    if (server === undefined) throw new Error('Fastify made no server')
    return server
  }
  return createServer({
    responder: (req, res) => {
      res.setHeader('Content-Type', 'text/plain')
      res.end(`user ${req.fastcgi.params.USER_NAME} of ${req.url}`)
    },
    authorizer: (req) =>
      req.headers.authorization === 'secret'
        ? allow({ USER_NAME: 'ada' })
        : deny({ status: 401, headers: { 'WWW-Authenticate': 'Basic realm="x"' }, body: 'Who?' }),
  })
}

const server = await makeServer()
server.on('clientError', (error) => console.error(error))
server.listenFromArgv()
