// OPTIONS *

import type { GatewayRequest } from '../request/gateway-request.ts'
import type { GatewayResponse } from './gateway-response.ts'

/** Whether a request is `OPTIONS *`, which is about the server as a whole (RFC 9110 §9.3.7). */
export function isServerOptions({
  req,
  url,
  mount,
}: Pick<GatewayRequest, 'req' | 'url' | 'mount'>): boolean {
  return url === '*' && mount === '' && req.method === 'OPTIONS'
}

/** The response to `OPTIONS *`. No application is asked: none has a script at `*`. */
export const SERVER_OPTIONS: GatewayResponse = {
  status: 200,
  reason: '',
  headers: ['Content-Length', '0'],
  body: null,
}
