import { Readable } from 'node:stream'
import type { FastCGIRequest } from '../dispatcher.ts'
import { StdinPump } from '../stdin-pump.ts'

/** Whether a body is to be taken in whole before it is sent, so that it can be sent again. */
export function isShortStream(
  request: FastCGIRequest,
  most: number,
): request is FastCGIRequest & { body: Readable; bodyLength: number } {
  const { body, bodyLength } = request
  return body instanceof Readable && bodyLength !== undefined && bodyLength <= most
}

/** Takes in a stream of known length. @throws RequestBodyError */
export function takeIn(stream: Readable, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const pump = new StdinPump(stream, length, {
      sendStdin(chunk) {
        chunks.push(chunk)
        return true
      },
      endStdin: () => resolve(Buffer.concat(chunks, length)),
      stdinFailed: reject,
    })
    pump.start()
  })
}
