import type { RequestTarget } from '../environment/request-facts.ts'
import { BadRequestError } from '../errors.ts'

const PLAIN_PATH = /^(?:\/[A-Za-z0-9\-_~!$&'()*+,;=:@][A-Za-z0-9\-_.~!$&'()*+,;=:@]*)*\/?$/

/**
 * Takes a request target apart as nginx does. Everything later relies on the path: decoded exactly once, no `..`,
 * no control characters (CVE-2019-11043), no NUL (CVE-2013-4547), no backslash.
 * @throws BadRequestError
 */
export function parseTarget(raw: string): RequestTarget {
  let uri = raw
  let authority = ''
  if (!raw.startsWith('/')) {
    const match = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)(.*)$/i.exec(raw)
    if (match === null) throw new BadRequestError('request target is neither a path nor a URL')
    authority = match[1] ?? ''
    // RFC 9110 §4.2.4: a host that hides behind a name is an attack.
    if (authority.includes('@')) throw new BadRequestError('request target contains userinfo')
    const rest = match[2] ?? ''
    uri = rest.startsWith('/') ? rest : `/${rest}`
  }
  // A fragment never belongs here; what is behind it would be seen by one and not by another (CVE-2023-45539).
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

/** Decodes a raw path and resolves it. @throws BadRequestError */
export function normalizePath(raw: string): string {
  if (PLAIN_PATH.test(raw)) return raw === '' ? '/' : raw
  const decoded = raw.includes('%') ? decodePercents(raw) : raw
  for (let at = 0; at < decoded.length; at++) {
    const code = decoded.charCodeAt(at)
    if (code < 0x20 || code === 0x7f)
      throw new BadRequestError('request path contains a control character')
    // Cut down to a byte it would be another character, which has not been looked at: U+012E becomes a dot.
    if (code > 0xff) throw new BadRequestError('request path contains a character that is no byte')
    // Windows takes it for a slash, and so may an application behind us.
    if (code === 0x5c) throw new BadRequestError('request path contains a backslash')
  }
  return resolveDots(decoded)
}

/** Replaces %XX by the byte it stands for; once, whatever comes out. */
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
      throw new BadRequestError('request path climbs above the root')
    if (segment !== '' && segment !== '.' && segment !== '..') kept.push(segment)
  }
  const last = segments.at(-1)
  const directory = last === '' || last === '.' || last === '..'
  return `/${kept.join('/')}${directory && kept.length > 0 ? '/' : ''}`
}

/**
 * What is behind a mount point, or undefined when the path is not below it: a framework matches the raw path,
 * and `/mount/../x` is none of ours.
 */
export function belowMount(path: string, mount: string): string | undefined {
  if (mount === '') return path
  if (!path.startsWith(mount)) return undefined
  if (path.length === mount.length) return '/'
  return path[mount.length] === '/' ? path.slice(mount.length) : undefined
}

/** Where in a gateway a request lands. */
export interface Location {
  readonly target: RequestTarget
  /** Decoded mount point, '' for none. */
  readonly mount: string
  /** Decoded path below it; undefined when it is not below it. */
  readonly path: string | undefined
}

/**
 * Finds out where a request lands.
 * @param rewritten what a framework has made of `url`: this is what is run, REQUEST_URI stays `url`.
 * @throws BadRequestError
 */
export function locate(url: string, rewritten: string | undefined, mountPoint: string): Location {
  let target = parseTarget(url)
  if (rewritten !== undefined && rewritten !== url) {
    const { path, query } = parseTarget(rewritten)
    target = { ...target, path, query }
  }
  const mount = mountPoint === '' ? '' : normalizePath(mountPoint).replace(/\/$/, '')
  return { target, mount, path: belowMount(target.path, mount) }
}
