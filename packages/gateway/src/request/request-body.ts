// Decides how a request body is sent to the application: streamed, spooled first, encoded again, or refused.

import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { RequestBodyError } from '@fastcgi/client'
import { http2Stream } from './http-version.ts'
import { encodeParsedBody } from './parsed-body.ts'
import type { SpoolLimits } from './spool.ts'
import { spoolStream } from './spool-stream.ts'

/** How request bodies are read. */
export interface BodyRules {
  /** What to do with a body of unknown length. */
  unknownLength: 'spool' | 'stream' | 'reject'
  /** Whether every body is spooled, not only short ones. */
  spoolAll: boolean
  /** Maximum bytes of a body; if undefined, spooled bodies are bounded by `spool.max`, streamed ones by nothing. */
  maxBodySize: number | undefined
  spool: SpoolLimits
  /** Milliseconds without a byte after which spooling fails; 0 for no limit. */
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

/** The rules for request bodies that a gateway's options define. @param directory for temporary files. */
export function bodyRules(options: BodyOptions, directory: string): BodyRules {
  const { spoolMemory = 65_536 } = options
  return {
    unknownLength: options.unknownLength ?? 'spool',
    spoolAll: options.spoolBodies ?? false,
    maxBodySize: options.maxBodySize,
    spool: { memory: spoolMemory, max: GIBIBYTE, directory },
    idle: options.timeouts?.body ?? 60_000,
  }
}

/** A request body to send to the application. */
export interface RequestBody {
  body: Readable | Buffer | null
  /** CONTENT_LENGTH; undefined if there is no body or its length is unknown. */
  length: number | undefined
  /**
   * Whether it was encoded again from a parsed body. The parser has decompressed it, so Content-Encoding no longer
   * applies.
   */
  parsed: boolean
  /** CONTENT_TYPE if it differs from the request's, because the body was encoded again in another charset. */
  contentType?: string | undefined
}

/** The body of a request without one. */
export const NO_BODY: RequestBody = { body: null, length: undefined, parsed: false }

/**
 * The body to send for a request; synchronous unless it has to be spooled. A body of unknown length is spooled because PHP
 * reads exactly CONTENT_LENGTH bytes. A short body is spooled because php-fpm runs the script even with a body that broke
 * off, and because a slow client would occupy a PHP child while it uploads.
 * @param parsed the body as a body parser has parsed it; undefined if none has.
 * @throws RequestBodyError, also as a rejection
 */
export function requestBody(
  req: IncomingMessage,
  parsed: unknown,
  rules: BodyRules,
): RequestBody | Promise<RequestBody> {
  const declared = req.headers['content-length']
  if (declared === undefined && !hasUnknownLength(req)) return NO_BODY
  if (parsed !== undefined && parsed !== req && wasRead(req)) {
    const { body, contentType } = encodeParsedBody(parsed, req.headers['content-type'])
    return { body, length: body.length, parsed: true, contentType }
  }
  if (declared !== undefined) return declaredBody(req, declared, rules)
  if (wasRead(req)) throw unreadable(req)
  if (rules.unknownLength === 'stream') return { body: req, length: undefined, parsed: false }
  if (rules.unknownLength === 'reject')
    throw new RequestBodyError(
      'FCGI_BODY_LENGTH_REQUIRED',
      "request body has no Content-Length (option unknownLength is 'reject')",
    )
  return spooled(req, rules, rules.maxBodySize ?? rules.spool.max)
}

async function spooled(req: IncomingMessage, rules: BodyRules, max: number): Promise<RequestBody> {
  const { body, length } = await spoolStream(req, { ...rules.spool, max }, rules.idle)
  return { body, length, parsed: false }
}

function declaredBody(
  req: IncomingMessage,
  declared: string,
  rules: BodyRules,
): RequestBody | Promise<RequestBody> {
  // node:http accepts digits only; this is for requests that did not come through its parser.
  if (!/^\d{1,15}$/.test(declared))
    throw new RequestBodyError('FCGI_BODY_LENGTH_REQUIRED', 'Content-Length is not a number')
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

/** Whether a request without Content-Length may have a body. */
function hasUnknownLength(req: IncomingMessage): boolean {
  const stream = http2Stream(req)
  if (stream === undefined) return req.headers['transfer-encoding'] !== undefined
  return stream.endAfterHeaders === false
}

/** Whether the body has already been read, at least in part, for instance by a body parser. */
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
    'the request body has been read before the gateway got it, and the parsed body is not available; ' +
      'register the FastCGI routes before middleware that reads request bodies',
  )
}
