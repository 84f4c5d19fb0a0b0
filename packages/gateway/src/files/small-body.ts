// Reads small bodies as a whole, so that they leave in one write with their head.

import type { FilePart } from './file-body.ts'

/** Bytes of a body that is read as a whole. Above, memory that is used again costs less than a stream saves. */
export const MAX_SMALL = 16_384

/**
 * Reads parts of files, and buffers between them, into one buffer; undefined if they cannot be read completely. Whoever sends
 * them as a stream then learns why.
 */
export async function readParts(
  parts: ReadonlyArray<FilePart | Buffer>,
  size: number,
): Promise<Buffer | undefined> {
  const { body, reads } = layOut(parts, size)
  try {
    for (const { part, into } of reads)
      if ((await part.file.read(into, part.start)) !== into.length) return undefined
    return body
  } catch {
    return undefined
  }
}

/** The same without the thread pool, for files that are in memory. */
export function readPartsNow(
  parts: ReadonlyArray<FilePart | Buffer>,
  size: number,
): Buffer | undefined {
  const { body, reads } = layOut(parts, size)
  try {
    const isRead = reads.every(
      ({ part, into }) => part.file.readNow(into, part.start) === into.length,
    )
    return isRead ? body : undefined
  } catch {
    return undefined
  }
}

/** The buffer, with the given parts copied, and where the others are to be read into. */
function layOut(
  parts: ReadonlyArray<FilePart | Buffer>,
  size: number,
): { body: Buffer; reads: Array<{ part: FilePart; into: Buffer }> } {
  const body = Buffer.allocUnsafe(size)
  const reads: Array<{ part: FilePart; into: Buffer }> = []
  let at = 0
  for (const part of parts) {
    const into = body.subarray(at, at + part.length)
    if (Buffer.isBuffer(part)) part.copy(into)
    else reads.push({ part, into })
    at += part.length
  }
  return { body, reads }
}
