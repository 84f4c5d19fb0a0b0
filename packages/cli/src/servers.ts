// The servers of `fastcgi serve`, one for each adapter.
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fastcgiProxy as expressProxy } from '@fastcgi/express'
import { fastcgiProxy, fastcgiServerOptions } from '@fastcgi/fastify'
import { createGateway } from '@fastcgi/gateway'
import express, { type ErrorRequestHandler } from 'express'
import Fastify, { LogController } from 'fastify'
import type { Logger } from 'pino'
import type { ServeOptions } from './serve-options.ts'

/** A listening server. */
export interface RunningServer {
  /** Base URL without a trailing slash. */
  url: string
  /** Accepts no more requests; resolves when the running ones have been answered. */
  close(): Promise<void>
}

/** Starts the server of the chosen adapter. */
export function startServer(options: ServeOptions, logger: Logger): Promise<RunningServer> {
  const start = { fastify: startFastify, express: startExpress, http: startHTTP }[options.adapter]
  return start(options, logger)
}

async function startFastify(options: ServeOptions, logger: Logger): Promise<RunningServer> {
  const { host, port, gateway } = options
  const logController = new LogController({ disableRequestLogging: !options.accessLog })
  const app = Fastify({ ...fastcgiServerOptions, loggerInstance: logger, logController })
  closeIdleOnShutdown(app.server)
  try {
    await app.register(fastcgiProxy, gateway)
    const url = await app.listen({ host, port, listenTextResolver: () => 'listening' })
    return { url, close: () => app.close() }
  } catch (error) {
    await app.close()
    throw error
  }
}

function startExpress(options: ServeOptions, logger: Logger): Promise<RunningServer> {
  const proxy = expressProxy({ ...options.gateway, logger })
  const app = express().disable('x-powered-by').use(proxy).use(errorHandler)
  return startNode(app, () => proxy.close(), options, logger)
}

/** Replaces the error handler of Express, which prints stack traces to stderr; the gateway has logged the cause already. */
const errorHandler: ErrorRequestHandler = (error, _req, res, _next) => {
  if (res.headersSent) res.destroy()
  else res.status(error.status).set(error.headers).type('text').send(`${error.message}\n`)
}

function startHTTP(options: ServeOptions, logger: Logger): Promise<RunningServer> {
  const gateway = createGateway({ ...options.gateway, logger })
  return startNode(gateway.handler, () => gateway.close(), options, logger)
}

async function startNode(
  handler: RequestListener,
  closeGateway: () => Promise<void>,
  { host, port, accessLog }: ServeOptions,
  logger: Logger,
): Promise<RunningServer> {
  const server = createServer(handler)
  closeIdleOnShutdown(server)
  if (accessLog)
    server.on('request', (req, res) =>
      res.once('close', () => logger.info({ status: res.statusCode }, `${req.method} ${req.url}`)),
    )
  const close = async (): Promise<void> => {
    await new Promise((resolve) => server.close(resolve))
    await closeGateway()
  }
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, host, resolve)
    })
  } catch (error) {
    await close()
    throw error
  }
  const address = server.address() as AddressInfo
  const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return { url: `http://${shown}:${address.port}`, close }
}

/**
 * Closes each connection after its response once the server is closing. `server.close()` itself closes only connections
 * that are idle at that moment; the others would delay its end until their keep-alive timeout.
 */
function closeIdleOnShutdown(server: Server): void {
  server.on('request', (_req, res) =>
    res.once('close', () => {
      if (!server.listening) server.closeIdleConnections()
    }),
  )
}
