// The site as an Express app.
import { fastcgiProxy } from '@fastcgi/express'
import { joinCaches } from '@fastcgi/gateway/internal'
import express, { type ErrorRequestHandler } from 'express'
import { answerNotFound } from './not-found.ts'
import { answerError, type CreateSite, gatewayOptions } from './site.ts'

export const createSite: CreateSite = async (settings, logger) => {
  const proxy = fastcgiProxy(gatewayOptions(settings, logger))
  const onError: ErrorRequestHandler = (error, req, res, _next) =>
    answerError(settings, req, res, error.status)
  const app = express()
    .disable('x-powered-by')
    .set('trust proxy', settings.trust ?? false)
    .use(proxy)
    .use((req, res) => answerNotFound(settings, req, res))
    .use(onError)
  return {
    handler: app,
    dispatchers: () => proxy.dispatchers,
    caches: () => joinCaches([proxy]),
    close: () => proxy.close(),
  }
}
