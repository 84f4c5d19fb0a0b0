// The site as a Fastify app.
import {
  fastcgiCaches,
  fastcgiDispatchers,
  fastcgiProxy,
  fastcgiServerOptions,
} from '@fastcgi/fastify'
import Fastify, {
  type FastifyBaseLogger,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify'
import { answerNotFound } from './not-found.ts'
import { answerError, type CreateSite, gatewayOptions } from './site.ts'

export const createSite: CreateSite = async (settings, logger) => {
  const onError = (
    error: { statusCode?: number },
    request: FastifyRequest,
    reply: FastifyReply,
  ): void => {
    reply.hijack()
    answerError(settings, request.raw, reply.raw, error.statusCode)
  }
  const app = Fastify({
    ...fastcgiServerOptions,
    loggerInstance: logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: settings.trust ?? false,
    // Of URLs that Fastify refuses before any route.
    frameworkErrors: onError,
  })
  app.setNotFoundHandler((request, reply) => {
    reply.hijack()
    answerNotFound(settings, request.raw, reply.raw)
  })
  app.setErrorHandler(onError)
  await app.register(fastcgiProxy, gatewayOptions(settings, logger))
  await app.ready()
  return {
    handler: (req, res) => app.routing(req, res),
    dispatchers: () => fastcgiDispatchers(app),
    caches: () => fastcgiCaches(app),
    close: () => app.close(),
  }
}
