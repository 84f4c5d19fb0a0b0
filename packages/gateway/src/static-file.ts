import type { IncomingMessage } from 'node:http'
import { send } from '@fastify/send'
import type { GatewayResponse } from './responder.ts'

/**
 * A file of the root as a response, with validators and ranges. That the path may be served has been decided before.
 * Undefined when the method asks for something else, or when the file has gone.
 */
export async function staticFile(
  req: IncomingMessage,
  root: string,
  path: string,
): Promise<GatewayResponse | undefined> {
  const result = await send(req, encodePath(path), { root, index: false, dotfiles: 'allow' })
  if (result.type === 'error' && result.statusCode === 404) return undefined
  const headers = Object.entries(result.headers).flatMap(([name, value]) => [name, String(value)])
  const { statusCode: status } = result
  const body = req.method === 'HEAD' || status === 304 ? null : result.stream
  if (body === null) result.stream.destroy()
  return { status, reason: '', headers, body }
}

/** send() decodes its path: what is a byte here must not become an escape there. */
function encodePath(path: string): string {
  return path.replace(
    /[^A-Za-z0-9/._-]/g,
    (char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}
