import { Readable } from 'node:stream'
import {
  type ClientInfo,
  type Gateway,
  type GatewayRequest,
  type GatewayResponse,
  isGone,
} from '@fastcgi/gateway'
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
  reply.code(status)
  setFields(reply, response.headers)
  if (reason !== '' && reply.request.raw.httpVersionMajor < 2) reply.raw.statusMessage = reason
  if (body === null) reply.send()
  else if (!Buffer.isBuffer(body)) {
    // The head goes out before there is a body, as soon as Fastify connects the two.
    if (body.readableLength === 0) reply.raw.once('pipe', () => reply.raw.write('', 'latin1'))
    reply.send(body)
  } else if (reply.hasHeader('content-type')) reply.send(body)
  // Fastify gives a Buffer without a type one of its own; a stream it leaves alone.
  else reply.header('content-length', body.length).send(Readable.from([body]))
}

function setFields(reply: FastifyReply, fields: readonly string[]): void {
  const set: string[] = []
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const name = (fields[at] ?? '').toLowerCase()
    const value = fields[at + 1] ?? ''
    // Fastify itself adds cookies to those that are there. What else the response depends on, hooks may have said before.
    const adds = name === 'vary' || (name !== 'set-cookie' && set.includes(name))
    const own = adds ? reply.getHeader(name) : undefined
    if (own === undefined) reply.header(name, value)
    else reply.header(name, [...(Array.isArray(own) ? own : [String(own)]), value])
    set.push(name)
  }
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
