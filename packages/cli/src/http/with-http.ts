// The site on node:http, without a framework.
import { createGateway } from '@fastcgi/gateway'
import { joinCaches } from '@fastcgi/gateway/internal'
import { answerNotFound } from './not-found.ts'
import { type CreateSite, gatewayOptions } from './site.ts'

export const createSite: CreateSite = async (settings, logger) => {
  const gateway = createGateway(gatewayOptions(settings, logger))
  return {
    handler: (req, res) => gateway.handler(req, res, () => answerNotFound(settings, req, res)),
    dispatchers: () => gateway.dispatchers,
    caches: () => joinCaches([gateway]),
    close: () => gateway.close(),
  }
}
