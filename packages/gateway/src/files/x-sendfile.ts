import { ProtocolError } from '@fastcgi/client'

/** A part of a file that X-Sendfile2 names. */
export interface NamedPart {
  /** Absolute path in latin1. */
  readonly path: string
  /** Offset of the first byte. */
  readonly start: number
  /** Offset of the last byte; undefined for that of the file. */
  readonly end: number | undefined
}

/** The path that X-Sendfile and X-LIGHTTPD-send-file name. */
export function parseSendfile(value: string, decode: boolean): string {
  const path = value.trim()
  return decode ? decodePercents(path) : path
}

/**
 * The parts that X-Sendfile2 names: `path start-[end]`, several of them by comma.
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
        `the application sent X-Sendfile2: ${value}, which is not 'path start-[end]', several of them by comma`,
      )
    return part
  })
}

/** Replaces %XX by the byte it stands for; a percent without two hex digits stays, as with lighttpd. */
function decodePercents(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
}
