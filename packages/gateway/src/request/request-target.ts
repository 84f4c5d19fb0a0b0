// Parses request targets, and finds the path below the mount point.

import type { RequestTarget } from '../environment/environment-input.ts'
import { BadRequestError } from '../errors.ts'

/**
 * Paths that normalizePath() need not change: no percent, no control character, no empty or dot segment, no backslash.
 */
const PLAIN_PATH = /^(?:\/[A-Za-z0-9\-_~!$&'()*+,;=:@][A-Za-z0-9\-_.~!$&'()*+,;=:@]*)*\/?$/

/**
 * Parses a request target as nginx does. All later code relies on these properties of the path: decoded exactly once, no
 * `..`, no control characters (CVE-2019-11043), no NUL (CVE-2013-4547). A backslash is an ordinary character here; files are
 * never looked up by a path that has one.
 * @throws BadRequestError
 */
export function parseTarget(raw: string): RequestTarget {
  let uri = raw
  let authority = ''
  if (!raw.startsWith('/')) {
    const match = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)(.*)$/i.exec(raw)
    if (match === null) throw new BadRequestError('request target is neither a path nor a URL')
    authority = match[1] ?? ''
    // RFC 9110 §4.2.4: userinfo is used to disguise the real host.
    if (authority.includes('@')) throw new BadRequestError('request target contains userinfo')
    const rest = match[2] ?? ''
    uri = rest.startsWith('/') ? rest : `/${rest}`
  }
  // A request target has no fragment. Servers disagree on whether it is part of the path (CVE-2023-45539).
  if (uri.includes('#')) throw new BadRequestError('request target contains a #')
  const mark = uri.indexOf('?')
  const rawPath = mark === -1 ? uri : uri.slice(0, mark)
  return {
    uri,
    path: normalizePath(rawPath),
    query: mark === -1 ? '' : uri.slice(mark + 1),
    authority,
  }
}

/** Decodes a path and removes its dot segments and empty segments. @throws BadRequestError */
export function normalizePath(raw: string): string {
  if (PLAIN_PATH.test(raw)) return raw === '' ? '/' : raw
  const decoded = raw.includes('%') ? decodePercents(raw) : raw
  for (let at = 0; at < decoded.length; at++) {
    const code = decoded.charCodeAt(at)
    if (code < 0x20 || code === 0x7f)
      throw new BadRequestError('request path contains a control character')
    // Encoded as latin1 it would become another character, which has not been checked: U+012E becomes a dot.
    if (code > 0xff) throw new BadRequestError('request path contains a character above U+00FF')
  }
  return resolveDots(decoded)
}

/** Replaces each %XX by its byte. The result is not decoded again. */
function decodePercents(raw: string): string {
  if (/%(?![0-9a-f]{2})/i.test(raw))
    throw new BadRequestError('request path contains a percent sign without two hex digits')
  return raw.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
}

function resolveDots(path: string): string {
  const kept: string[] = []
  const segments = path.split('/')
  for (const segment of segments) {
    if (segment === '..' && kept.pop() === undefined)
      throw new BadRequestError('request path leads above the root')
    if (segment !== '' && segment !== '.' && segment !== '..') kept.push(segment)
  }
  const last = segments.at(-1)
  const directory = last === '' || last === '.' || last === '..'
  return `/${kept.join('/')}${directory && kept.length > 0 ? '/' : ''}`
}

/**
 * The part of a decoded path after the mount point; undefined if the path is not below it. Frameworks match the raw path,
 * so `/mount/../x` can arrive here although it is outside.
 */
export function belowMount(path: string, mount: string): string | undefined {
  if (mount === '') return path
  if (!path.startsWith(mount)) return undefined
  if (path.length === mount.length) return '/'
  return path[mount.length] === '/' ? path.slice(mount.length) : undefined
}

/** The target of a request in relation to the mount point. */
export interface MountedTarget {
  readonly target: RequestTarget
  /** Decoded mount point, '' for none. */
  readonly mount: string
  /** Decoded path below the mount point; undefined if it is not below it. */
  readonly path: string | undefined
}

/**
 * Parses the target of a request and finds the path below the mount point.
 * @param rewritten the target as a framework has rewritten it. It gives path and query; REQUEST_URI stays `url`.
 * @throws BadRequestError
 */
export function parseMountedTarget(
  url: string,
  rewritten: string | undefined,
  mountPoint: string,
): MountedTarget {
  let target = parseTarget(url)
  if (rewritten !== undefined && rewritten !== url) {
    const { path, query } = parseTarget(rewritten)
    target = { ...target, path, query }
  }
  const mount = mountPoint === '' ? '' : normalizePath(mountPoint).replace(/\/$/, '')
  return { target, mount, path: belowMount(target.path, mount) }
}

/** The path of a target as the client sent it. */
export function rawPathOf({ uri }: RequestTarget): string {
  const mark = uri.indexOf('?')
  return mark === -1 ? uri : uri.slice(0, mark)
}

/** Encodes a decoded path, which is latin1, for a URL. */
export function encodePath(path: string): string {
  return path.replace(
    /[^A-Za-z0-9/._~!$&'()*+,;=:@-]/g,
    (char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

/** Whether the client has spelled a decoded path in the one way that {@link encodePath} does. */
export function isSpelledAs(target: RequestTarget, path: string): boolean {
  return rawPathOf(target) === encodePath(path)
}
