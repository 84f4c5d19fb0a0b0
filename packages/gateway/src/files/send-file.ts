// Opens, checks and sends a file, or parts of several files, as a response.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { ProtocolError } from '@fastcgi/client'
import type { GatewayLogger } from '../logger.ts'
import { isGone, onResponseClose } from '../request/client-disconnect.ts'
import { abortResponse } from '../response/abort-response.ts'
import type { GatewayResponse, ResponseStart } from '../response/gateway-response.ts'
import { closeAll, type FilePart } from './file-body.ts'
import { fileResponse, partsResponse } from './file-response.ts'
import { openWithinRoots } from './open-within-roots.ts'
import type { OpenedFile } from './opened-file.ts'
import type { RootedPath } from './rooted-path.ts'
import type { NamedPart } from './x-sendfile.ts'

/** The request that a file is sent in response to. */
export interface FileReceiver {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly logger: GatewayLogger
}

/** A file to send, with the head of the response; by default status 200 and no fields. */
export interface FileRequest extends RootedPath, FileReceiver, Partial<ResponseStart> {
  /** Charset of text files, '' for none. @default 'utf-8' */
  readonly charset?: string
}

/**
 * The response that sends a file, with validators, conditions and ranges; at once if the file is at hand. The file is opened
 * once, checked, and sent from that same handle, which is closed when the response is complete or the client has disconnected.
 * @throws FileMissingError
 * @throws FileRefusedError
 */
export function sendFile(request: FileRequest): GatewayResponse | Promise<GatewayResponse> {
  const file = openWithinRoots(request)
  return file instanceof Promise
    ? file.then((opened) => sendOpened(request, opened))
    : sendOpened(request, file)
}

function sendOpened(
  request: FileRequest,
  file: OpenedFile,
): GatewayResponse | Promise<GatewayResponse> {
  const { req, status = 200, reason = '', headers = [], charset = 'utf-8' } = request
  const response = fileResponse(req, file, { status, reason, headers }, charset)
  return response instanceof Promise
    ? response.then((made) => bindToClient(request, made))
    : bindToClient(request, response)
}

/** Maximum files of one response, as all of them stay open until the response ends. */
const MAX_FILES = 128

/**
 * The response that sends parts of files in sequence (X-Sendfile2). Status and fields are kept; parts that reach beyond the
 * end of a file are cut, which is logged.
 * @throws FileMissingError
 * @throws FileRefusedError
 * @throws ProtocolError for parts of more than 128 files
 */
export async function sendParts(
  receiver: FileReceiver,
  place: Omit<RootedPath, 'path'>,
  named: readonly NamedPart[],
  start: ResponseStart,
): Promise<GatewayResponse> {
  const paths = new Set(named.map(({ path }) => path))
  if (paths.size > MAX_FILES)
    throw new ProtocolError(
      `the application named ${paths.size} files in X-Sendfile2; at most ${MAX_FILES} can be sent`,
    )
  const files = new Map<string, OpenedFile>()
  try {
    for (const path of paths) files.set(path, await openWithinRoots({ ...place, path }))
  } catch (error) {
    await closeAll(files.values())
    throw error
  }
  const parts = named.flatMap((part) => {
    const file = files.get(part.path)
    return file === undefined ? [] : [cutToFile(receiver, file, part)]
  })
  return bindToClient(
    receiver,
    await partsResponse(receiver.req, [...files.values()], parts, start),
  )
}

function cutToFile({ logger }: FileReceiver, file: OpenedFile, part: NamedPart): FilePart {
  const { path, size } = file
  const start = Math.min(part.start, size)
  const end = Math.min(part.end ?? size - 1, size - 1)
  if (start !== part.start || (part.end !== undefined && end !== part.end))
    logger.warn(
      {},
      `${path} has ${size} bytes: part ${part.start}-${part.end ?? ''} of X-Sendfile2 cut`,
    )
  return { file, start, length: Math.max(0, end - start + 1) }
}

/** Destroys the body when the client disconnects, and breaks the response off when the body fails. */
function bindToClient(receiver: FileReceiver, response: GatewayResponse): GatewayResponse {
  const { req, res, logger } = receiver
  const { body } = response
  if (!(body instanceof Readable)) return response
  body.once('error', (err) => {
    logger.error({ err }, `response broken off: ${err.message}`)
    abortResponse(req, res)
  })
  if (isGone(req, res)) body.destroy()
  else onResponseClose(req, res, () => body.destroy())
  return response
}
