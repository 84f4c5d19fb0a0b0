import { OptionError } from './errors.ts'

/**
 * The address a FastCGI application listens on; `tls` is TLS over TCP. `name` is its canonical form: equal addresses have
 * equal names.
 */
export type Address =
  | { readonly kind: 'unix'; readonly path: string; readonly name: string }
  | {
      readonly kind: 'tcp' | 'tls'
      readonly host: string
      readonly port: number
      readonly name: string
    }

/** Port of an `fcgi://host` or `fcgis://host` URL without a port, as in Apache's mod_proxy_fcgi. */
const DEFAULT_PORT = 8000

// sun_path has 108 bytes on Linux and 104 on macOS and the BSDs, the final NUL included.
const MAX_SOCKET_PATH = process.platform === 'linux' ? 107 : 103

/**
 * Parses an address: `unix:/path`, `/path`, `fcgi://host[:port]` (default port 8000), `fcgis://host[:port]` (TLS, the same
 * default port), `tcp://host:port`, `host:port`, `:port` (127.0.0.1), Apache's `unix:/path|fcgi://name/` (the part after `|` is ignored), and the Windows named pipe
 * `\\.\pipe\name`.
 * @throws OptionError when the text has none of these forms, the port is not 1 to 65535, or the socket path is too
 * long for the system (107 bytes on Linux, else 103).
 * @example
 * ```js
 * import { parseAddress } from '@fastcgi/client'
 *
 * console.log(parseAddress('php.example:9123').port) // 9123
 * ```
 */
export function parseAddress(text: string): Address {
  if (typeof text !== 'string' || text === '') throw addressError(text, 'it is empty')
  if (text.startsWith('\\\\')) return unixAddress(text, text)
  if (text.startsWith('unix:')) return parseUnix(text, text.slice('unix:'.length))
  if (text.startsWith('/')) return parseUnix(text, text)
  const match = /^(?:([a-z]+):\/\/)?(\[[^\]]+\]|[^:/[\]]*)(?::(\d+))?\/?$/i.exec(text)
  if (match === null) throw addressError(text, 'it has none of the known forms')
  const [, scheme, host = '', port] = match
  if (scheme !== undefined && !/^(fcgis?|fastcgi|tcp)$/i.test(scheme))
    throw addressError(text, `scheme ${scheme} is unknown`)
  if (port === undefined && !/^fcgis?$/i.test(scheme ?? ''))
    throw addressError(text, 'it has no port')
  const kind = scheme?.toLowerCase() === 'fcgis' ? 'tls' : 'tcp'
  return tcpAddress(kind, text, host, port === undefined ? DEFAULT_PORT : Number(port))
}

function parseUnix(text: string, rest: string): Address {
  const bar = rest.indexOf('|')
  const path = bar === -1 ? rest : rest.slice(0, bar)
  if (!path.startsWith('/')) throw addressError(text, 'the path of the socket must be absolute')
  return unixAddress(text, path)
}

function unixAddress(text: string, path: string): Address {
  if (path.includes('\0')) throw addressError(text, 'it contains a NUL')
  const length = Buffer.byteLength(path)
  if (path.startsWith('/') && length > MAX_SOCKET_PATH)
    throw addressError(
      text,
      `a socket path takes at most ${MAX_SOCKET_PATH} bytes, this one has ${length}`,
    )
  return { kind: 'unix', path, name: path.startsWith('/') ? `unix:${path}` : path }
}

function tcpAddress(kind: 'tcp' | 'tls', text: string, host: string, port: number): Address {
  if (port < 1 || port > 65_535) throw addressError(text, 'the port must be 1 to 65535')
  const bare = host.startsWith('[') ? host.slice(1, -1) : host
  const real = bare === '' ? '127.0.0.1' : bare.toLowerCase()
  const name = `${real.includes(':') ? `[${real}]` : real}:${port}`
  return { kind, host: real, port, name: kind === 'tls' ? `fcgis://${name}` : name }
}

function addressError(text: unknown, why: string): OptionError {
  return new OptionError(
    `address ${JSON.stringify(text)} cannot be used: ${why}; ` +
      "write 'unix:/run/php/php-fpm.sock', 'fcgi://host:9000' or 'host:9000'",
  )
}
