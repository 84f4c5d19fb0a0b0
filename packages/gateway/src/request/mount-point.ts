// Where a framework has mounted a handler that it calls with `(req, res, next)`.

import type { IncomingMessage } from 'node:http'

/** What frameworks add to a request that they pass to a handler at a path. */
interface MountedRequest extends IncomingMessage {
  /** Target as the client sent it, where `url` has lost the mount point: Express, Connect, Polka. */
  readonly originalUrl?: string
  /** Mount point: Express. */
  readonly baseUrl?: string
}

/** The target of a request, and where the handler is mounted. */
export interface MountedURL {
  /** The request target as the client sent it. */
  readonly url: string
  /** The request target as preceding middleware has rewritten it; undefined if that is not a path. */
  readonly rewrittenUrl: string | undefined
  /** Path that the handler is mounted at, as in `rewrittenUrl`; '' for none. */
  readonly mount: string
}

/**
 * Finds the mount point. Express names it. Connect and others only take it off `url`, so it is what `originalUrl` has
 * before that; none if middleware has rewritten `url` to something else.
 */
export function mountedURL(req: MountedRequest): MountedURL {
  const { originalUrl, baseUrl, url = '/' } = req
  const mount = baseUrl ?? (originalUrl === undefined ? '' : takenOff(originalUrl, url))
  return {
    url: originalUrl ?? url,
    rewrittenUrl: url.startsWith('/') ? mount + url : undefined,
    mount,
  }
}

function takenOff(originalUrl: string, url: string): string {
  if (originalUrl === url) return ''
  const outer = pathOf(originalUrl)
  const inner = pathOf(url)
  if (inner.startsWith('/') && outer.endsWith(inner)) return outer.slice(0, -inner.length)
  // The bare mount point, which gets a slash.
  return inner === '/' || inner === '' ? outer : ''
}

/** The path of a target, also of one in absolute form. */
function pathOf(target: string): string {
  return target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '')
}
