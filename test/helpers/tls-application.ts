/** An application that speaks TLS, of the package application. */
import type { AddressInfo } from 'node:net'
import { createServer, type ServerOptions } from '@fastcgi/application'
import type { Test } from 'tap'

/** Starts one that answers with its REQUEST_URI. Returns its port. @param errors receives failed handshakes. */
export async function tlsApplication(
  t: Test,
  options: ServerOptions,
  errors: Error[] = [],
): Promise<number> {
  const app = createServer((req, res) => {
    req.resume()
    req.on('end', () => res.end(`answer to ${req.url}`))
  }, options)
  app.on('clientError', (error: Error) => errors.push(error))
  await new Promise<void>((resolve) => {
    app.listen({ host: '127.0.0.1', port: 0 }, resolve)
  })
  t.teardown(() => {
    app.close()
    app.closeAllConnections()
  })
  return (app.address() as AddressInfo).port
}
