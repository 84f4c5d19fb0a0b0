import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { RequestBodyError } from '@fastcgi/client'
import { http2Stream } from './http-version.ts'
import { encodeParsedBody } from './parsed-body.ts'
import type { SpoolLimits } from './spool.ts'
import { spoolStream } from './spool-stream.ts'

/** How request bodies are taken. */
export interface BodyRules {
  /** What to do with a body that does not say how long it is. */
  unknownLength: 'spool' | 'stream' | 'reject'
  /** Take in every body whole, not only short ones. */
  spoolAll: boolean
  /** Most bytes of a body; undefined bounds only what is spooled. */
  maxBodySize: number | undefined
  spool: SpoolLimits
  /** Milliseconds without a byte while spooling. */
  idle: number
}

const GIBIBYTE = 1_073_741_824

/** The options of a gateway that concern request bodies. */
export interface BodyOptions {
  readonly unknownLength?: BodyRules['unknownLength'] | undefined
  readonly spoolBodies?: boolean | undefined
  readonly maxBodySize?: number | undefined
  readonly spoolMemory?: number | undefined
  readonly timeouts?: { readonly body?: number | undefined } | undefined
}

/** The rules that a gateway's options make. @param directory for temporary files. */
export function bodyRules(options: BodyOptions, directory: string): BodyRules {
  const { spoolMemory = 65_536 } = options
  return {
    unknownLength: options.unknownLength ?? 'spool',
    spoolAll: options.spoolBodies ?? false,
    maxBodySize: options.maxBodySize,
    spool: { memory: spoolMemory, most: GIBIBYTE, directory },
    idle: options.timeouts?.body ?? 60_000,
  }
}

/** A request body, ready to be sent. */
export interface RequestBody {
  body: Readable | Buffer | null
  /** CONTENT_LENGTH; undefined when there is no body, or nobody knows. */
  length: number | undefined
  /** Whether a framework has parsed it, and inflated it on the way: Content-Encoding is not true any more. */
  parsed: boolean
}

/** Of a request without one. */
export const NO_BODY: RequestBody = { body: null, length: undefined, parsed: false }

/**
 * Makes a body out of a request, at once where it can be streamed. PHP reads exactly CONTENT_LENGTH bytes, so a body of
 * unknown length is spooled first. So is a short one: php-fpm runs the script with what it got of a body that broke
 * off, and a slow client would hold a child all the while.
 * @param parsed what a framework made of the body, undefined if nothing.
 * @throws RequestBodyError, also by rejection
 */
export function requestBody(
  req: IncomingMessage,
  parsed: unknown,
  rules: BodyRules,
): RequestBody | Promise<RequestBody> {
  const declared = req.headers['content-length']
  if (declared === undefined && !hasUnknownLength(req)) return NO_BODY
  if (parsed !== undefined && parsed !== req && wasRead(req)) {
    const body = encodeParsedBody(parsed, req.headers['content-type'])
    return { body, length: body.length, parsed: true }
  }
  if (declared !== undefined) return declaredBody(req, declared, rules)
  if (wasRead(req)) throw unreadable(req)
  if (rules.unknownLength === 'stream') return { body: req, length: undefined, parsed: false }
  if (rules.unknownLength === 'reject')
    throw new RequestBodyError(
      'FCGI_BODY_LENGTH_REQUIRED',
      "request body has no Content-Length (option unknownLength is 'reject')",
    )
  return spooled(req, rules, rules.maxBodySize ?? rules.spool.most)
}

async function spooled(req: IncomingMessage, rules: BodyRules, most: number): Promise<RequestBody> {
  const { body, length } = await spoolStream(req, { ...rules.spool, most }, rules.idle)
  return { body, length, parsed: false }
}

function declaredBody(
  req: IncomingMessage,
  declared: string,
  rules: BodyRules,
): RequestBody | Promise<RequestBody> {
  // node:http lets digits through only; this is for requests that were made by other means.
  if (!/^\d{1,15}$/.test(declared))
    throw new RequestBodyError('FCGI_BODY_LENGTH_REQUIRED', 'Content-Length is no number')
  const length = Number(declared)
  if (rules.maxBodySize !== undefined && length > rules.maxBodySize)
    throw new RequestBodyError(
      'FCGI_BODY_TOO_LARGE',
      `request body has ${length} bytes, over ${rules.maxBodySize} (option maxBodySize)`,
    )
  if (length === 0) return { body: null, length: 0, parsed: false }
  if (wasRead(req)) throw unreadable(req)
  if (rules.spoolAll || length <= rules.spool.memory) return spooled(req, rules, length)
  return { body: req, length, parsed: false }
}

/** Whether there may be a body although nothing says how long it is. */
function hasUnknownLength(req: IncomingMessage): boolean {
  const stream = http2Stream(req)
  if (stream === undefined) return req.headers['transfer-encoding'] !== undefined
  return stream.endAfterHeaders === false
}

/** Whether somebody has taken bytes off the request already. */
function wasRead(req: IncomingMessage): boolean {
  return req.readableDidRead || req.readableEnded || req.destroyed
}

function unreadable(req: IncomingMessage): RequestBodyError {
  if (req.destroyed && !req.readableEnded)
    return new RequestBodyError(
      'FCGI_BODY_TRUNCATED',
      'the client went away in the middle of its request body',
    )
  return new RequestBodyError(
    'FCGI_BODY_CONSUMED',
    'the request body has been read before it came here, and nothing is left of it; ' +
      'register the FastCGI routes before whatever reads request bodies',
  )
}
