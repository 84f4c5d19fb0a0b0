// Options of the server for requests that Fastify refuses before any plugin sees them.

/** Options for `Fastify({ ...fastcgiServerOptions })`. */
export interface FastCGIServerOptions {
  /** Makes a URL routable whose path has bytes that are not UTF-8; every other URL is returned unchanged. */
  rewriteUrl(request: { readonly url?: string | undefined }): string
}

/**
 * Options of the Fastify server that let URLs such as `/caf%E9.txt` reach the plugins: `Fastify({ ...fastcgiServerOptions
 * })`. Fastify answers a path that is not UTF-8 with 400 before any hook; with these options it routes the path as if its
 * bytes were ISO-8859-1, so that all hooks and guards of the scope apply, and the application gets the bytes that the
 * client sent. With a `rewriteUrl` of your own, call this one first.
 */
export const fastcgiServerOptions: FastCGIServerOptions = {
  rewriteUrl: ({ url = '/' }) => routableUrl(url),
}

/** The URL that `rewriteUrl` returns for a URL. */
export function routableUrl(url: string): string {
  const end = url.search(/[?#]/)
  const path = end === -1 ? url : url.slice(0, end)
  if (!path.includes('%') || isUTF8(path)) return url
  const routable = path.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) =>
    isUTF8(escapes) ? escapes : escapes.replace(/%[89a-f][0-9a-f]/gi, latin1ToUTF8),
  )
  return end === -1 ? routable : routable + url.slice(end)
}

function latin1ToUTF8(percentEscape: string): string {
  return encodeURIComponent(String.fromCharCode(Number.parseInt(percentEscape.slice(1), 16)))
}

function isUTF8(escapes: string): boolean {
  try {
    decodeURIComponent(escapes)
    return true
  } catch {
    return false
  }
}
