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

/** What of a gateway's request the caller decides. */
export type RespondOptions = Pick<
  GatewayRequest<FastifyRequest>,
  'mount' | 'script' | 'env' | 'parsedBody'
>

/**
 * Has a gateway, or an authorizer, answer a request. Goes through reply.send, so that hooks and plugins keep working.
 * @param pass called when there is no response.
 */
export function respond(
  gateway: Gateway<FastifyRequest>,
  request: FastifyRequest,
  reply: FastifyReply,
  options: RespondOptions,
  pass: () => void = () => reply.callNotFound(),
): void {
  gateway.handle(
    {
      req: request.raw,
      res: reply.raw,
      source: request,
      url: request.originalUrl,
      rewrittenUrl: request.raw.url,
      client: clientOf(request),
      logger: request.log,
      ...options,
    },
    (error, response) => {
      // Nobody is left to answer, and Fastify would log that its reply could not be sent.
      if (isGone(request.raw, reply.raw)) return
      if (error !== undefined) reply.send(error)
      else if (response === undefined) pass()
      else send(reply, response)
    },
  )
}

function clientOf(request: FastifyRequest): ClientInfo {
  return { address: request.ip, scheme: request.protocol, host: request.host }
}

function send(reply: FastifyReply, response: GatewayResponse): void {
  const { status, reason, body } = response
  setReplyFields(reply.code(status), response.headers)
  if (reason !== '' && !isHttp2(reply.request.raw)) reply.raw.statusMessage = reason
  if (body === null) reply.send()
  else if (!Buffer.isBuffer(body)) {
    // The head goes out before there is a body, as soon as Fastify connects the two.
    if (body.readableLength === 0) reply.raw.once('pipe', () => reply.raw.write('', 'latin1'))
    reply.send(body)
  } else if (reply.hasHeader('content-type')) reply.send(body)
  // Fastify gives a Buffer without a type one of its own; a stream it leaves alone.
  else reply.header('content-length', body.length).send(Readable.from([body]))
}

/** Sets the fields of a response of the gateway, on top of what hooks have set. */
export function setReplyFields(reply: FastifyReply, fields: readonly string[]): void {
  setFields(
    fields,
    // To cookies Fastify itself adds.
    (name) => (name === 'set-cookie' ? undefined : reply.getHeader(name)),
    (name, value) => reply.header(name, value),
  )
}

/** A prefix as it stands in a URL, where it may have parameters, escapes and capitals. */
export function mountIn(url: string, prefix: string): string {
  if (url.startsWith(prefix)) return prefix
  const [path = ''] = url.split('?', 1)
  // With ignoreDuplicateSlashes, `//a/b` is below `/a`.
  let left = prefix.split('/').filter((segment) => segment !== '').length
  const segments = path.split('/')
  const end = segments.findIndex((segment) => segment !== '' && --left === 0)
  return segments.slice(0, end + 1).join('/')
}
