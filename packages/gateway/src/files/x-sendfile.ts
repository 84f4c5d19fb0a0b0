// Parses the values of X-Sendfile, X-LIGHTTPD-send-file and X-Sendfile2. The paths are checked against the allowed
// directories when they are opened, in open-within-roots.ts.

import { ProtocolError } from '@fastcgi/client'

/** A part of a file that X-Sendfile2 names. */
export interface NamedPart {
  /** Absolute path in latin1. */
  readonly path: string
  /** Offset of the first byte. */
  readonly start: number
  /** Offset of the last byte; undefined for the end of the file. */
  readonly end: number | undefined
}

/** The path in X-Sendfile or X-LIGHTTPD-send-file. @param decode whether it is percent-encoded. */
export function parseSendfile(value: string, decode: boolean): string {
  const path = value.trim()
  return decode ? decodePercents(path) : path
}

/**
 * The parts in X-Sendfile2: `path start-[end]`, separated by commas; paths are percent-encoded.
 * @throws ProtocolError for anything else.
 */
export function parseSendfile2(value: string): NamedPart[] {
  return value.split(',').map((item) => {
    const [, path = '', start, end] = /^(\S+) +(\d{1,15})-(\d{0,15})$/.exec(item.trim()) ?? []
    const part = {
      path: decodePercents(path),
      start: Number(start),
      end: end === '' ? undefined : Number(end),
    }
    if (path === '' || (part.end !== undefined && part.end < part.start))
      throw new ProtocolError(
        `the application sent X-Sendfile2: ${value}, which is not a list of 'path start-[end]' separated by commas`,
      )
    return part
  })
}

/** Replaces %XX by its byte. A percent without two hex digits is kept, as with lighttpd. */
function decodePercents(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
}
