// Builds the params of a request: RFC 3875 §4 and what nginx's fastcgi.conf sends.

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { OptionError } from '@fastcgi/client'
import { NameValueEncoder } from '@fastcgi/protocol'
import { addAddresses, ConnectionParams, plainAddress } from './connection-params.ts'
import type { ClientInfo, Env, EnvironmentInput, RequestTarget } from './environment-input.ts'
import { HeaderParams } from './header-params.ts'
import { ParamWriter } from './param-writer.ts'
import type { ReservedParams } from './reserved-params.ts'

/** The configuration of a route's params, the same for every request. */
export interface EnvironmentRules {
  env: Env
  serverName: string | undefined
  passHeaders: readonly string[]
  reserved: ReservedParams
  maxParamsSize: number
  stripRequestUri: string | undefined
}

/**
 * The params that the function of an `env` option returns for one request. An `env` object gives none here, because its
 * params are encoded once for all requests. @throws OptionError if the function returns a promise.
 */
export function envOf<Source>(
  env: Env | ((request: Source) => Env) | undefined,
  source: Source,
): Env | undefined {
  const result = typeof env === 'function' ? env(source) : undefined
  if (typeof (result as Partial<Promise<unknown>> | undefined)?.then === 'function')
    throw new OptionError('option env: the function must return params, not a promise of them')
  return result
}

/** Default params of every request; configuration may override them. */
const CONSTANTS: Env = {
  GATEWAY_INTERFACE: 'CGI/1.1',
  SERVER_SOFTWARE: 'fastcgi-node',
  // php-cgi refuses requests without it (cgi.force_redirect).
  REDIRECT_STATUS: 200,
}

/**
 * Encodes the params of a route's requests. Every name is sent once, because php-fpm takes the last of duplicates and
 * libfcgi the first. Configured params win over those taken from a request.
 *
 * Constant params are encoded once, as the prefix that `#encoder` starts each request with. A request with `extra` params
 * uses `#bareEncoder`, which has no prefix, because `extra` may replace any of the constants.
 */
export class Environment {
  readonly #rules: EnvironmentRules
  readonly #constants: ReadonlyArray<readonly [string, string]>
  readonly #configured: ReadonlySet<string>
  readonly #encoder: NameValueEncoder
  readonly #bareEncoder: NameValueEncoder
  readonly #addresses: ConnectionParams
  readonly #headers: HeaderParams

  constructor(rules: EnvironmentRules) {
    this.#rules = rules
    // A value of undefined leaves the default in place.
    const given = Object.entries(rules.env).filter(([, value]) => value !== undefined)
    this.#configured = new Set(given.map(([name]) => name))
    this.#constants = entriesOf({ ...CONSTANTS, ...Object.fromEntries(given) })
    this.#bareEncoder = new NameValueEncoder(rules.maxParamsSize)
    for (const [name, value] of this.#constants) this.#bareEncoder.add(name, value)
    this.#encoder = new NameValueEncoder(rules.maxParamsSize, this.#bareEncoder.finish())
    this.#addresses = new ConnectionParams(
      () => new ParamWriter(new NameValueEncoder(), this.#configured, undefined),
    )
    this.#headers = new HeaderParams(rules.passHeaders, this.#configured, rules.reserved)
  }

  /** Encodes the params of one request. @throws ParamsTooLargeError */
  encode(facts: EnvironmentInput): Buffer {
    const { extra } = facts
    const encoder = extra === undefined ? this.#encoder : this.#bareEncoder
    encoder.restart()
    const writer = new ParamWriter(encoder, this.#configured, extra)
    if (extra !== undefined) {
      this.#rules.reserved.addAll(extra)
      for (const [name, value] of this.#constants) writer.addConstant(name, value)
      for (const [name, value] of entriesOf(extra)) writer.addExtra(name, value)
    }
    if (facts.variables !== undefined)
      for (const [name, value] of facts.variables) writer.add(name, value)
    this.#addScript(writer, facts)
    this.#addRequest(writer, facts)
    const { socket } = facts.req
    if (extra === undefined) writer.addBlock(this.#addresses.of(socket, facts.client.address))
    else addAddresses(writer, socket, facts.client.address)
    this.#addServer(writer, facts)
    this.#addHeaders(writer, facts)
    return writer.finish()
  }

  #addScript(writer: ParamWriter, facts: EnvironmentInput): void {
    const { scriptName, pathInfo, scriptFilename, documentRoot } = facts
    if (scriptFilename !== undefined) writer.add('SCRIPT_FILENAME', scriptFilename)
    if (scriptName !== undefined) writer.add('SCRIPT_NAME', scriptName)
    if (pathInfo !== '') {
      writer.add('PATH_INFO', pathInfo)
      // It names a file, in which Windows treats a backslash as a slash.
      if (documentRoot !== undefined && !pathInfo.includes('\\'))
        writer.add('PATH_TRANSLATED', documentRoot + pathInfo)
    }
    if (documentRoot !== undefined) writer.add('DOCUMENT_ROOT', documentRoot)
    writer.add('DOCUMENT_URI', (scriptName ?? facts.target.path) + pathInfo)
  }

  #addRequest(writer: ParamWriter, facts: EnvironmentInput): void {
    const { req, target, client, contentLength } = facts
    writer.add('REQUEST_METHOD', req.method ?? 'GET')
    writer.add('REQUEST_URI', stripPrefix(target.uri, this.#rules.stripRequestUri))
    writer.add('QUERY_STRING', target.query)
    writer.add('SERVER_PROTOCOL', `HTTP/${req.httpVersion}`)
    writer.add('REQUEST_SCHEME', client.scheme)
    if (client.scheme === 'https') writer.add('HTTPS', 'on')
    const contentType = facts.contentType ?? req.headers['content-type']
    if (contentType !== undefined) writer.add('CONTENT_TYPE', contentType)
    if (contentLength !== undefined) writer.add('CONTENT_LENGTH', String(contentLength))
  }

  #addServer(writer: ParamWriter, { req, target, client }: EnvironmentInput): void {
    const { socket } = req
    // An absolute-form target wins over Host (RFC 9112 §3.2.2), the host given by a trusted proxy over both.
    const byTarget = target.authority !== '' && client.host === (req.headers.host ?? '')
    const host = parseHost(byTarget ? target.authority : client.host)
    const name = this.#rules.serverName ?? host?.name
    writer.add('SERVER_NAME', name ?? (plainAddress(socket.localAddress) || 'localhost'))
    writer.add('SERVER_PORT', serverPort(socket, client, host?.port))
  }

  #addHeaders(writer: ParamWriter, facts: EnvironmentInput): void {
    const { headers = facts.req.headers } = facts
    // Fields listed in Connection are hop-by-hop, too (RFC 9110 §7.6.1).
    const { connection } = facts.req.headers
    const named =
      connection === undefined || connection === 'keep-alive' || connection === 'close'
        ? undefined
        : new Set(connection.toLowerCase().split(/[\s,]+/))
    for (const field in headers) {
      const value = headers[field]
      const name = field === 'host' ? '' : this.#headers.nameOf(field)
      if (name === '' || value === undefined || named?.has(field)) continue
      if (facts.dropContentEncoding && field === 'content-encoding') continue
      writer.add(name, typeof value === 'string' ? value : value.join(', '))
    }
    const host = hostFieldOf(facts.req, facts.target)
    if (host !== '') writer.add('HTTP_HOST', host)
  }
}

/** The host that a client names in the target or in Host (HTTP_HOST); '' if it names none. */
export function hostFieldOf({ headers }: IncomingMessage, { authority }: RequestTarget): string {
  const host = authority || headers[':authority'] || headers.host
  return typeof host === 'string' ? host : ''
}

function entriesOf(env: Env): Array<readonly [string, string]> {
  return Object.entries(env)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => [name, String(value)] as const)
}

const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._~-]+)(?::(\d{1,5}))?$/i

interface Host {
  name: string
  port: string | undefined
}

// The last host parsed: most servers have only one name.
let lastHost: { text: string; host: Host | undefined } = { text: '', host: undefined }

function parseHost(text: string): Host | undefined {
  if (lastHost.text === text) return lastHost.host
  const match = HOST.exec(text)
  const host = match === null ? undefined : { name: match[1] ?? '', port: match[2] }
  lastHost = { text, host }
  return host
}

/** The port of the socket; behind a proxy that terminates TLS, the port that the client connected to. */
function serverPort(socket: Socket, client: ClientInfo, hostPort: string | undefined): string {
  const secure = (socket as TLSSocket).encrypted === true
  if ((client.scheme === 'https') !== secure)
    return hostPort ?? (client.scheme === 'https' ? '443' : '80')
  return socket.localPort === undefined ? (hostPort ?? '80') : String(socket.localPort)
}

function stripPrefix(uri: string, prefix: string | undefined): string {
  return prefix !== undefined && uri.startsWith(`${prefix}/`) ? uri.slice(prefix.length) : uri
}
