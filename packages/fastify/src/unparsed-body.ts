// Passes request bodies of any Content-Type on unread.
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** Content types that Fastify accepts: type and subtype, with or without parameters. */
const MEDIA_TYPE = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+(?:;|$)/
const REPLACEMENT = 'application/octet-stream'

/** The Content-Type fields that have been replaced, while Fastify looks for a parser. */
const replaced = new WeakMap<FastifyRequest, string | undefined>()

/**
 * Makes the routes of a scope take request bodies unread. Before it looks for a parser, Fastify answers 415 to a
 * Content-Type that is not a media type, and 400 to QUERY without one. So such a field is replaced after all `preParsing`
 * hooks, and is restored by the parser, before the next hooks.
 */
export function passBodiesUnread(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', (request, payload, done) => {
    restoreContentType(request)
    done(null, payload)
  })
  scope.addHook('preParsing', (request, _reply, payload, done) => {
    replaceContentType(request)
    done(null, payload)
  })
}

function replaceContentType(request: FastifyRequest): void {
  const { method, headers } = request.raw
  // Fastify does not look for a parser.
  if (method === 'GET' || method === 'HEAD' || method === 'TRACE') return
  const given = headers['content-type']
  if (given === undefined ? method !== 'QUERY' : MEDIA_TYPE.test(given) && given !== 'undefined')
    return
  replaced.set(request, given)
  headers['content-type'] = REPLACEMENT
  forgetMediaType(request)
}

/** Removes the parsed field that Fastify keeps, under an internal symbol, once a hook has read `request.mediaType`. */
function forgetMediaType(request: FastifyRequest): void {
  const symbol = Object.getOwnPropertySymbols(request).find(
    ({ description }) => description === 'fastify.request.contentType',
  )
  if (symbol !== undefined) Reflect.deleteProperty(request, symbol)
}

/** Restores the Content-Type field of the client. */
export function restoreContentType(request: FastifyRequest): void {
  if (!replaced.has(request)) return
  const given = replaced.get(request)
  replaced.delete(request)
  forgetMediaType(request)
  if (given === undefined) delete request.raw.headers['content-type']
  else request.raw.headers['content-type'] = given
}
