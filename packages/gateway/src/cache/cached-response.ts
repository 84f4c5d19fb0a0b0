// Makes the response for a client of an answer of the cache.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { CacheAnswer } from '@fastcgi/cache'
import type { ByteRange } from '../files/range-parser.ts'
import { planResponse } from '../files/representation.ts'
import { abortResponse } from '../response/abort-response.ts'
import { fieldValue, withoutFields } from '../response/field-list.ts'
import type { GatewayResponse } from '../response/gateway-response.ts'

const LENGTH = new Set(['content-length'])

/** Whether a request wants less than the whole response. Not in a loop: this is asked for every hit. */
function wantsLess({ headers }: IncomingMessage): boolean {
  return (
    headers['if-none-match'] !== undefined ||
    headers['if-modified-since'] !== undefined ||
    headers.range !== undefined ||
    headers['if-match'] !== undefined ||
    headers['if-unmodified-since'] !== undefined
  )
}

/** The response of an answer: what the request wants of it, as for a file. */
export function cachedResponse(
  req: IncomingMessage,
  res: ServerResponse,
  answer: CacheAnswer,
): GatewayResponse {
  const { status, reason, fields, body } = answer
  if (body !== null && !Buffer.isBuffer(body)) body.once('error', () => abortResponse(req, res))
  const isEmpty = status === 204 || status === 304
  if (answer.isWhole && status === 200 && wantsLess(req)) return partOf(req, answer)
  const sent = req.method === 'HEAD' || isEmpty ? dropped(body) : body
  return { status, reason, headers: fields, body: sent }
}

function partOf(req: IncomingMessage, answer: CacheAnswer): GatewayResponse {
  const { reason, fields, body } = answer
  const whole = Buffer.isBuffer(body) || body === null ? (body ?? Buffer.alloc(0)) : undefined
  const validators = {
    etag: fieldValue(fields, 'etag'),
    // RFC 9111 §4.3.2: without Last-Modified, Date is compared.
    lastModified: fieldValue(fields, 'last-modified') ?? fieldValue(fields, 'date'),
  }
  const headers = whole === undefined ? fields : withoutFields(fields, LENGTH)
  const plan = planResponse(req, headers, validators, whole?.length)
  if (plan.status === 200 && whole === undefined)
    return {
      status: 200,
      reason,
      headers: fields,
      body: req.method === 'HEAD' ? dropped(body) : body,
    }
  const parts = whole === undefined ? [] : plan.parts.map((part) => bytesOf(whole, part))
  if (whole === undefined) dropped(body)
  const only = parts.length === 1 ? parts[0] : undefined
  const sent = parts.length === 0 || req.method === 'HEAD' ? null : (only ?? Buffer.concat(parts))
  return {
    status: plan.status,
    reason: plan.status === 200 ? reason : '',
    headers: plan.headers,
    body: sent,
  }
}

function bytesOf(whole: Buffer, part: ByteRange | Buffer): Buffer {
  return Buffer.isBuffer(part) ? part : whole.subarray(part.first, part.last + 1)
}

/** The client gets no body. */
function dropped(body: CacheAnswer['body']): null {
  if (body !== null && !Buffer.isBuffer(body)) body.on('error', () => {}).destroy()
  return null
}
