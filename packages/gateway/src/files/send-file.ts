import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { breakOff, isGone, onceClosed } from '../client-gone.ts'
import type { GatewayLogger } from '../logger.ts'
import type { GatewayResponse } from '../responder.ts'
import { fileResponse, type ResponseStart } from './file-response.ts'
import { type FilePlace, openFile } from './open-file.ts'

/** Who is sent a file. */
export interface FileReceiver {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly logger: GatewayLogger
}

/** A file to be sent. */
export interface FileRequest extends FilePlace, FileReceiver, Partial<ResponseStart> {}

/**
 * A file as the response to a request: with validators, conditions, ranges, and what is given of the response. The file
 * is opened once, checked, and sent from that same handle; it is closed when the client has it, or has gone.
 * @throws FileMissingError
 * @throws FileRefusedError
 */
export async function sendFile(request: FileRequest): Promise<GatewayResponse> {
  const { req, status = 200, reason = '', headers = [] } = request
  const file = await openFile(request)
  return attended(request, await fileResponse(req, file, { status, reason, headers }))
}

/** Sees to it that a body of files ends with its client, and never looks complete when it is not. */
export function attended(receiver: FileReceiver, response: GatewayResponse): GatewayResponse {
  const { req, res, logger } = receiver
  const body = response.body as Readable | null
  if (body === null) return response
  body.once('error', (err) => {
    logger.error({ err }, `${req.method} response broken off: ${err.message}`)
    breakOff(req, res)
  })
  if (isGone(req, res)) body.destroy()
  else onceClosed(req, res, () => body.destroy())
  return response
}
