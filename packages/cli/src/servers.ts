import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fastcgiProxy as expressProxy } from '@fastcgi/express'
import { fastcgiProxy } from '@fastcgi/fastify'
import { createGateway } from '@fastcgi/gateway'
import express, { type ErrorRequestHandler } from 'express'
import Fastify, { LogController } from 'fastify'
import type { Logger } from 'pino'
import type { ServeOptions } from './serve-options.ts'

/** A server that listens. */
export interface RunningServer {
  url: string
  /** Takes no more requests, and resolves when those that run are answered. */
  close(): Promise<void>
}

/** Starts the server of the adapter that was asked for. */
export function startServer(options: ServeOptions, logger: Logger): Promise<RunningServer> {
  const start = { fastify: startFastify, express: startExpress, http: startHTTP }[options.adapter]
  return start(options, logger)
}

async function startFastify(options: ServeOptions, logger: Logger): Promise<RunningServer> {
  const { host, port, gateway } = options
  const logController = new LogController({ disableRequestLogging: !options.accessLog })
  const app = Fastify({ loggerInstance: logger, logController })
  endKeptConnections(app.server)
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
  const app = express().disable('x-powered-by').use(proxy).use(answerError)
  return startNode(app, () => proxy.close(), options, logger)
}

/** In place of Express's own handler, which prints stacks to stderr; the gateway has logged the cause already. */
const answerError: ErrorRequestHandler = (error, _req, res, _next) => {
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
  endKeptConnections(server)
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
 * A connection that is kept after its response would hold up the end of a server for as long as keep-alive lasts;
 * `server.close()` itself closes only those that are idle at that moment.
 */
function endKeptConnections(server: Server): void {
  server.on('request', (_req, res) =>
    res.once('close', () => {
      if (!server.listening) server.closeIdleConnections()
    }),
  )
}
