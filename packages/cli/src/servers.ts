import { createServer } from 'node:http'
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
  /** Finishes what runs, then resolves. */
  close(): Promise<void>
}

/** Starts the server of the adapter that was asked for. */
export function startServer(options: ServeOptions, logger: Logger): Promise<RunningServer> {
  return { fastify: startFastify, express: startExpress, http: startHTTP }[options.adapter](
    options,
    logger,
  )
}

async function startFastify(options: ServeOptions, logger: Logger): Promise<RunningServer> {
  const { host, port, gateway } = options
  const logController = new LogController({ disableRequestLogging: !options.accessLog })
  const app = Fastify({ loggerInstance: logger, logController })
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
  const app = express()
  app.disable('x-powered-by')
  const proxy = expressProxy({ ...options.gateway, logger })
  app.use(proxy)
  const onError: ErrorRequestHandler = (error, _req, res, next) => {
    if (res.headersSent) next(error)
    else
      res
        .status(error.status ?? 500)
        .set(error.headers ?? {})
        .type('text')
        .send(`${error.message}\n`)
  }
  app.use(onError)
  return listen(app, () => proxy.close(), options, logger)
}

function startHTTP(options: ServeOptions, logger: Logger): Promise<RunningServer> {
  const gateway = createGateway({ ...options.gateway, logger })
  return listen(gateway.handler, () => gateway.close(), options, logger)
}

function listen(
  handler: Parameters<typeof createServer>[1],
  closeGateway: () => Promise<void>,
  { host, port, accessLog }: ServeOptions,
  logger: Logger,
): Promise<RunningServer> {
  const server = createServer(handler)
  if (accessLog)
    server.on('request', (req, res) =>
      res.once('close', () => logger.info({ status: res.statusCode }, `${req.method} ${req.url}`)),
    )
  const close = async (): Promise<void> => {
    await new Promise((resolve) => server.close(resolve))
    await closeGateway()
  }
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      const address = server.address() as AddressInfo
      const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address
      resolve({ url: `http://${shown}:${address.port}`, close })
    })
  })
}
