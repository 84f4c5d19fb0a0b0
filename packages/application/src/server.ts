// The FastCGI server: an http.Server whose connections speak FastCGI instead of HTTP.
import cluster from 'node:cluster'
import { Server as HttpServer } from 'node:http'
import type { AddressInfo, ListenOptions as NetListenOptions, Socket } from 'node:net'
import { Connection, type ConnectionHost } from './connection/connection.ts'
import { TimeoutChecker } from './connection/timeout-checker.ts'
import { readArguments } from './listen/arguments.ts'
import { Handshakes } from './listen/handshakes.ts'
import { findInherited } from './listen/inherited.ts'
import { clearStaleSocket, withMode } from './listen/unix-socket.ts'
import { isAllowedPeer } from './listen/web-servers.ts'
import { type ServerOptions, type Settings, serverSettings } from './options.ts'
import { serveCgi } from './request/cgi.ts'
import type { Serve } from './request/exchange.ts'
import { type ResponderListener, type RoleListeners, serveRoles } from './roles.ts'

/** Options of listen(): those of `net.Server`, with the mode of a unix socket, and inherited sockets. */
export interface ListenOptions extends NetListenOptions {
  /** File mode of the unix socket at `path`, e.g. 0o660. @default 0o777 less the umask */
  mode?: number | undefined
  /** File descriptor of an inherited listening socket; 0 according to FastCGI 1.0 §2.2. */
  fd?: number | undefined
}

/**
 * An `http.Server` whose connections speak FastCGI. Created by {@link createServer}.
 *
 * It emits the events of `http.Server`: 'request', 'listening', 'close', 'error', and 'clientError' if a web server
 * violates the protocol or exceeds `timeouts.write` or `timeouts.params`; the connection is closed then.
 */
export class FastCGIServer extends HttpServer {
  readonly #settings: Settings
  readonly #serve: Serve
  readonly #host: ConnectionHost
  readonly #connections = new Set<Connection>()
  readonly #timeoutChecker: TimeoutChecker
  /** With the option `tls`. */
  readonly #handshakes: Handshakes | undefined
  #draining = false
  #fd: number | undefined

  constructor(listeners: RoleListeners, options: ServerOptions) {
    super({ highWaterMark: 65_536 })
    this.#settings = serverSettings(options)
    this.#timeoutChecker = new TimeoutChecker(this.#settings.timeouts, this.#connections)
    this.#serve = serveRoles(listeners, (req, res) => this.emit('request', req, res))
    this.#host = this.#makeHost(listeners)
    this.#handshakes = this.#makeHandshakes()
    // Removes the listener of http.Server, which would parse HTTP.
    this.removeAllListeners('connection')
    this.on('connection', (socket: Socket) => this.#accept(socket))
    if (listeners.responder !== undefined) this.on('request', listeners.responder)
  }

  /**
   * Listens as `net.Server` does. A unix socket that no program listens on any more is removed first. Emits 'error' with
   * code EADDRINUSE if a program listens on it, or the path is not a socket.
   */
  override listen(options: ListenOptions, listeningListener?: () => void): this
  override listen(...args: unknown[]): this
  override listen(...args: unknown[]): this {
    const [first] = args
    const options: ListenOptions = typeof first === 'object' && first !== null ? first : {}
    const path = typeof first === 'string' && Number.isNaN(Number(first)) ? first : options.path
    this.#fd = options.fd
    // In a cluster the primary process listens on behalf of its workers.
    if (
      path === undefined ||
      options.fd !== undefined ||
      !isFilesystemPath(path) ||
      cluster.isWorker
    )
      return this.#bind(args)
    clearStaleSocket(path).then(
      () => {
        const { mode } = options
        if (mode === undefined) this.#bind(args)
        else withMode(path, mode, () => this.#bind(args))
      },
      (error) => this.emit('error', error),
    )
    return this
  }

  /**
   * Takes requests according to how the program was started: on the socket of LISTEN_FDS (systemd), on a listening socket
   * on fd 0 (lighttpd, mod_fcgid, spawn-fcgi), or as a CGI program. SIGTERM and SIGUSR1 close the server after the
   * running requests.
   * @throws OptionError if it is none of these.
   */
  listenFromEnvironment(listeningListener?: () => void): this {
    const inherited = findInherited()
    this.#closeOnSignals()
    if (inherited.kind === 'socket') return this.listen({ fd: inherited.fd }, listeningListener)
    serveCgi(this.#settings, this.#serve, () => this.emit('close'))
    return this
  }

  /**
   * Listens according to the command line: `-mode=tcp|unix|stdio -port=N -host=ADDRESS -unix=PATH`. Without these
   * switches, and for `stdio`, it does the same as {@link listenFromEnvironment}. The default host is 127.0.0.1. SIGTERM
   * and SIGUSR1 close the server after the running requests.
   * @throws OptionError that names the invalid switch.
   */
  listenFromArgv(argv: readonly string[] = process.argv.slice(2), listener?: () => void): this {
    const choice = readArguments(argv)
    if (choice.mode === 'stdio') return this.listenFromEnvironment(listener)
    this.#closeOnSignals()
    return choice.mode === 'unix'
      ? this.listen({ path: choice.path }, listener)
      : this.listen({ host: choice.host, port: choice.port }, listener)
  }

  /** As `net.Server` returns it; `fd:0` for an inherited unix socket, whose path Node does not know. */
  override address(): string | AddressInfo | null {
    const address = super.address()
    return address === null && this.listening && this.#fd !== undefined ? `fd:${this.#fd}` : address
  }

  /** Accepts no more connections and requests, and closes each connection after its running requests. */
  override close(callback?: (error?: Error) => void): this {
    this.#draining = true
    super.close(callback)
    this.closeIdleConnections()
    return this
  }

  /** Closes the connections that have no request. */
  override closeIdleConnections(): void {
    for (const connection of this.#connections) if (connection.idle) connection.close()
    if (this.#draining) this.#handshakes?.stop()
  }

  /** Closes all connections, and aborts the requests on them. */
  override closeAllConnections(): void {
    for (const connection of [...this.#connections]) connection.destroy()
    this.#handshakes?.stop()
  }

  #bind(args: unknown[]): this {
    super.listen(...(args as [NetListenOptions, (() => void)?]))
    return this
  }

  #accept(socket: Socket): void {
    if (!isAllowedPeer(socket, this.#settings)) {
      socket.destroy()
      return
    }
    if (this.#handshakes === undefined) this.#serveOn(socket)
    else this.#handshakes.start(socket)
  }

  #serveOn(socket: Socket): void {
    const overloaded = this.#connections.size >= this.#settings.maxConnections
    this.#connections.add(new Connection(socket, this.#host, overloaded))
    this.#timeoutChecker.start()
  }

  #makeHandshakes(): Handshakes | undefined {
    const { tls, timeouts } = this.#settings
    if (tls === undefined) return undefined
    return new Handshakes(tls, timeouts.params, {
      onSecure: (socket) => this.#serveOn(socket),
      onFailed: (error, socket) => void this.emit('clientError', error, socket),
    })
  }

  #makeHost(listeners: RoleListeners): ConnectionHost {
    const isDraining = (): boolean => this.#draining
    return {
      settings: this.#settings,
      serve: this.#serve,
      // A responder may also be added by on('request'), as with http.createServer().
      hasListener: (role) =>
        role === 'responder' ? this.listenerCount('request') > 0 : listeners[role] !== undefined,
      requests: 0,
      get draining() {
        return isDraining()
      },
      onClosed: (connection) => void this.#connections.delete(connection),
      onError: (error, socket) => void this.emit('clientError', error, socket),
    }
  }

  #closeOnSignals(): void {
    const close = (): void => void this.close()
    for (const signal of ['SIGTERM', 'SIGUSR1'] as const) {
      process.once(signal, close)
      this.once('close', () => process.removeListener(signal, close))
    }
  }
}

function isFilesystemPath(path: string): boolean {
  // Excludes named pipes of Windows and abstract sockets of Linux.
  return !path.startsWith('\\\\') && !path.startsWith('\0')
}

/**
 * Creates a server.
 * @param listener request listener for the role responder, as for `http.createServer` (an Express app, for instance);
 * or an object with a listener for each role.
 * @throws OptionError for an unknown option or an invalid value.
 * @example
 * ```js
 * import { createServer } from '@fastcgi/application'
 *
 * const server = createServer((req, res) => res.end(`Hello ${req.url}`))
 * server.listen({ host: '127.0.0.1', port: 0 }, () => server.close())
 * ```
 */
export function createServer(
  listener: ResponderListener | RoleListeners = {},
  options: ServerOptions = {},
): FastCGIServer {
  const listeners = typeof listener === 'function' ? { responder: listener } : listener
  return new FastCGIServer(listeners, options)
}

/**
 * Creates the server of a Fastify app: `Fastify({ serverFactory: fastcgiServerFactory })`.
 * @example
 * ```js
 * import { fastcgiServerFactory } from '@fastcgi/application'
 * import Fastify from 'fastify'
 *
 * const app = Fastify({ serverFactory: fastcgiServerFactory })
 * app.get('/', () => 'Hello from FastCGI')
 * app.server.listen({ host: '127.0.0.1', port: 0 }, () => app.server.close())
 * ```
 */
export function fastcgiServerFactory(handler: ResponderListener): FastCGIServer {
  return createServer(handler)
}
