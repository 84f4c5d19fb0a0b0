import type { IncomingMessage } from 'node:http'

/**
 * `Connection: close` for a response that is sent before the request body has been read; else no fields. Without it the
 * rest of the body could be taken for the next request (RFC 9112 §9.6). HTTP/2 frames each body, so it needs none.
 */
export function closeIfUnread(req: IncomingMessage): string[] {
  if (req.complete || req.httpVersionMajor >= 2) return []
  // `complete` is still false for a request without a body that is answered at once.
  const { 'transfer-encoding': coding, 'content-length': length = '0' } = req.headers
  return coding === undefined && Number(length) === 0 ? [] : ['Connection', 'close']
}
