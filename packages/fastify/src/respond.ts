// Sends the responses of a gateway through Fastify.
import { Readable } from 'node:stream'
import {
  type ClientInfo,
  type Gateway,
  type GatewayRequest,
  type GatewayResponse,
  isGone,
} from '@fastcgi/gateway'
import { isHttp2, setFields } from '@fastcgi/gateway/internal'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { placedGuardsOf } from './guarded-routes.ts'
import { logOnce } from './log-once.ts'
import { routableUrl } from './server-options.ts'

/** The parts of a gateway request that differ between routes, hooks and reply.fastcgi(). */
export type RespondOptions = Pick<
  GatewayRequest<FastifyRequest>,
  'mount' | 'script' | 'env' | 'parsedBody'
>

/**
 * Answers a request with the response of a gateway or an authorizer. It is sent with reply.send(), so that hooks and
 * plugins apply to it.
 * @param pass called if there is no response. @default the not-found handler
 */
export function respond(
  gateway: Gateway<FastifyRequest>,
  request: FastifyRequest,
  reply: FastifyReply,
  { mount, script, env, parsedBody }: RespondOptions,
  pass: () => void = () => reply.callNotFound(),
): void {
  gateway.handle(
    {
      req: request.raw,
      res: reply.raw,
      source: request,
      url: request.originalUrl,
      rewrittenUrl: routedUrlOf(request),
      client: new FastifyClient(request),
      id: request.id,
      logger: request.log,
      placedGuards: placedGuardsOf(request.server),
      mount,
      script,
      env,
      parsedBody,
    },
    (error, response) => {
      // The client has disconnected; Fastify would log that the reply could not be sent.
      if (isGone(request.raw, reply.raw)) return
      if (error !== undefined) {
        logOnce(reply, error)
        reply.send(error)
      } else if (response === undefined) pass()
      else send(reply, response)
    },
  )
}

/** The URL that selects the route: as the client sent it, unless a `rewriteUrl` of the app has changed it. */
export function routedUrlOf({ originalUrl, raw }: FastifyRequest): string {
  const { url = originalUrl } = raw
  return url === originalUrl || url === routableUrl(originalUrl) ? originalUrl : url
}

/** The client; the address is looked up only where it is needed, which it is not for an answer of the cache. */
class FastifyClient implements ClientInfo {
  readonly #request: FastifyRequest
  readonly scheme: string
  readonly host: string

  constructor(request: FastifyRequest) {
    this.#request = request
    this.scheme = request.protocol
    this.host = request.host
  }

  get address(): string {
    return this.#request.ip
  }
}

function send(reply: FastifyReply, response: GatewayResponse): void {
  const { status, reason, body } = response
  setReplyFields(reply.code(status), response.headers)
  if (reason !== '' && !isHttp2(reply.request.raw)) reply.raw.statusMessage = reason
  if (body === null) reply.send()
  else if (!Buffer.isBuffer(body)) {
    // Without data, Node sends the head with the first chunk. An empty write sends it once Fastify has piped the body.
    // Before Fastify listens for errors, which it logs.
    body.once('error', (error) => logOnce(reply, error))
    if (body.readableLength === 0) reply.raw.once('pipe', () => reply.raw.write('', 'latin1'))
    reply.send(body)
  } else if (hasMediaType(reply)) reply.send(body)
  // Fastify replaces the Content-Type of a Buffer that has none, or one it cannot parse, but not that of a stream.
  else reply.header('content-length', body.length).send(Readable.from([body]))
}

const MEDIA_TYPE = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(?:;|$)/

function hasMediaType(reply: FastifyReply): boolean {
  const type = reply.getHeader('content-type')
  return typeof type === 'string' && MEDIA_TYPE.test(type)
}

/** Adds the fields of a gateway's response to those that hooks have set. */
export function setReplyFields(reply: FastifyReply, fields: readonly string[]): void {
  setFields(
    fields,
    // reply.header() itself appends to Set-Cookie.
    (name) => (name === 'set-cookie' ? undefined : reply.getHeader(name)),
    (name, value) => reply.header(name, value),
  )
}

/** The path that a prefix has matched in a URL, also one in absolute form. It may differ from the prefix: route parameters, percent escapes, case. */
export function mountPathOf(url: string, prefix: string): string {
  if (url.startsWith(prefix)) return prefix
  const [path = ''] = url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i, '').split('?', 1)
  // With ignoreDuplicateSlashes, the prefix `/a` matches `//a/b`.
  let left = prefix.split('/').filter((segment) => segment !== '').length
  const segments = path.split('/')
  const end = segments.findIndex((segment) => segment !== '' && --left === 0)
  return segments.slice(0, end + 1).join('/')
}
