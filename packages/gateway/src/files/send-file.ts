import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { ProtocolError } from '@fastcgi/client'
import type { GatewayLogger } from '../logger.ts'
import { abortResponse, isGone, onResponseClose } from '../request/client-disconnect.ts'
import type { GatewayResponse, ResponseStart } from '../response/gateway-response.ts'
import { closeAll, type FilePart } from './file-body.ts'
import { fileResponse, partsResponse } from './file-response.ts'
import { type FilePlace, type OpenedFile, openFile } from './open-file.ts'
import type { NamedPart } from './sendfile-headers.ts'

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

/** Most files of one response: each of them is open until all is sent. */
const MOST_FILES = 128

/**
 * Parts of files, one behind the other, as the response to a request. Status and fields stay as they are given; parts
 * beyond the end of a file are cut, which is logged.
 * @throws FileMissingError
 * @throws FileRefusedError
 * @throws ProtocolError when they are of too many files
 */
export async function sendParts(
  receiver: FileReceiver,
  place: Omit<FilePlace, 'path'>,
  named: readonly NamedPart[],
  start: ResponseStart,
): Promise<GatewayResponse> {
  const paths = new Set(named.map(({ path }) => path))
  if (paths.size > MOST_FILES)
    throw new ProtocolError(`the application names ${paths.size} files; ${MOST_FILES} can be sent`)
  const files = new Map<string, OpenedFile>()
  try {
    for (const path of paths) files.set(path, await openFile({ ...place, path }))
  } catch (error) {
    await closeAll([...files.values()].map(({ handle }) => handle))
    throw error
  }
  const parts = named.flatMap((part) => {
    const file = files.get(part.path)
    return file === undefined ? [] : [cutToFile(receiver, file, part)]
  })
  return attended(receiver, await partsResponse(receiver.req, [...files.values()], parts, start))
}

function cutToFile({ req, logger }: FileReceiver, file: OpenedFile, part: NamedPart): FilePart {
  const { handle, path, size } = file
  const start = Math.min(part.start, size)
  const end = Math.min(part.end ?? size - 1, size - 1)
  if (start !== part.start || (part.end !== undefined && end !== part.end))
    logger.warn(
      {},
      `${req.method} ${path} has ${size} bytes: part ${part.start}-${part.end ?? ''} of X-Sendfile2 cut`,
    )
  return { handle, path, start, length: Math.max(0, end - start + 1) }
}

/** Sees to it that a body of files ends with its client, and never looks complete when it is not. */
function attended(receiver: FileReceiver, response: GatewayResponse): GatewayResponse {
  const { req, res, logger } = receiver
  const body = response.body as Readable | null
  if (body === null) return response
  body.once('error', (err) => {
    logger.error({ err }, `${req.method} response broken off: ${err.message}`)
    abortResponse(req, res)
  })
  if (isGone(req, res)) body.destroy()
  else onResponseClose(req, res, () => body.destroy())
  return response
}
