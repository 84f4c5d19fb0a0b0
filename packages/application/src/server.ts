import cluster from 'node:cluster'
import { Server as HttpServer } from 'node:http'
import type { AddressInfo, ListenOptions as NetListenOptions, Socket } from 'node:net'
import { Connection, type ConnectionHost } from './connection/connection.ts'
import { TimeKeeper } from './connection/time-keeper.ts'
import { readArguments } from './listen/arguments.ts'
import { findInherited } from './listen/inherited.ts'
import { clearStaleSocket, withMode } from './listen/unix-socket.ts'
import { mayConnect } from './listen/web-servers.ts'
import { type ServerOptions, type Settings, serverSettings } from './options.ts'
import { serveCgi } from './request/cgi.ts'
import type { Serve } from './request/exchange.ts'
import { type ResponderListener, type RoleListeners, servedRoles, serveRoles } from './roles.ts'

/** Where to listen: as for `net.Server`, with the mode of a unix socket and inherited sockets. */
export interface ListenOptions extends NetListenOptions {
  /** Permissions of the unix socket at `path`, e.g. 0o660. @default what the umask leaves */
  mode?: number | undefined
  /** A file descriptor that is a listening socket already; 0 as FastCGI 1.0 §2.2 has it. */
  fd?: number | undefined
}

/**
 * A server of node:http whose connections speak FastCGI. Made by {@link createServer}.
 *
 * Events are those of `http.Server`: 'request', 'listening', 'close', 'error', and 'clientError' for a web server that
 * broke the protocol or a time limit, whose connection is closed by then.
 */
export class FastCGIServer extends HttpServer {
  readonly #settings: Settings
  readonly #serve: Serve
  readonly #host: ConnectionHost
  readonly #connections = new Set<Connection>()
  readonly #times: TimeKeeper
  #draining = false
  #fd: number | undefined

  constructor(listeners: RoleListeners, options: ServerOptions) {
    super({ highWaterMark: 65_536 })
    this.#settings = serverSettings(options)
    this.#times = new TimeKeeper(this.#settings.timeouts, this.#connections)
    this.#serve = serveRoles(listeners, (req, res) => this.emit('request', req, res))
    this.#host = this.#makeHost(listeners)
    // http.Server's own, which would read HTTP.
    this.removeAllListeners('connection')
    this.on('connection', (socket: Socket) => this.#accept(socket))
    if (listeners.responder !== undefined) this.on('request', listeners.responder)
  }

  /**
   * Listens as `net.Server` does. A unix socket that nobody listens on any more is removed first.
   * 'error' comes with code EADDRINUSE where somebody does.
   */
  override listen(options: ListenOptions, listeningListener?: () => void): this
  override listen(...args: unknown[]): this
  override listen(...args: unknown[]): this {
    const [first] = args
    const options: ListenOptions = typeof first === 'object' && first !== null ? first : {}
    const path = typeof first === 'string' && Number.isNaN(Number(first)) ? first : options.path
    this.#fd = options.fd
    // In a worker of a cluster it is the primary that listens, for all of them.
    if (path === undefined || options.fd !== undefined || !isFile(path) || cluster.isWorker)
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
   * Takes requests the way whoever started the program wants it to: on the socket of LISTEN_FDS (systemd), on a
   * listening socket on fd 0 (lighttpd, mod_fcgid, spawn-fcgi), else as a CGI program. SIGTERM and SIGUSR1 close the
   * server: what runs is finished.
   * @throws OptionError where it is none of them.
   */
  listenFromEnvironment(listeningListener?: () => void): this {
    const inherited = findInherited()
    this.#closeOnSignals()
    if (inherited.kind === 'socket') return this.listen({ fd: inherited.fd }, listeningListener)
    serveCgi(this.#settings, this.#serve, () => this.emit('close'))
    return this
  }

  /**
   * Listens where the arguments of the command line say: `-mode=tcp|unix|stdio -port=N -host=ADDRESS -unix=PATH`.
   * Without any, and for `stdio`, as {@link listenFromEnvironment}; the host is 127.0.0.1 where none is given. SIGTERM
   * and SIGUSR1 close the server.
   * @throws OptionError that names the switch.
   */
  listenFromArgv(argv: readonly string[] = process.argv.slice(2), listener?: () => void): this {
    const choice = readArguments(argv)
    if (choice.mode === 'stdio') return this.listenFromEnvironment(listener)
    this.#closeOnSignals()
    return choice.mode === 'unix'
      ? this.listen({ path: choice.path }, listener)
      : this.listen({ host: choice.host, port: choice.port }, listener)
  }

  /** As that of `net.Server`; `fd:0` for an inherited unix socket, of which Node knows no more. */
  override address(): string | AddressInfo | null {
    const address = super.address()
    return address === null && this.listening && this.#fd !== undefined ? `fd:${this.#fd}` : address
  }

  /** Takes no more connections, and ends those that are there when their requests have ended. */
  override close(callback?: (error?: Error) => void): this {
    this.#draining = true
    super.close(callback)
    this.closeIdleConnections()
    return this
  }

  /** Ends the connections that carry no request. */
  override closeIdleConnections(): void {
    for (const connection of this.#connections) if (connection.idle) connection.close()
  }

  /** Ends all connections, and the requests on them. */
  override closeAllConnections(): void {
    for (const connection of [...this.#connections]) connection.destroy()
  }

  #bind(args: unknown[]): this {
    super.listen(...(args as [NetListenOptions, (() => void)?]))
    return this
  }

  #accept(socket: Socket): void {
    if (!mayConnect(socket, this.#settings)) {
      socket.destroy()
      return
    }
    const overloaded = this.#connections.size >= this.#settings.maxConnections
    this.#connections.add(new Connection(socket, this.#host, overloaded))
    this.#times.start()
  }

  #makeHost(listeners: RoleListeners): ConnectionHost {
    const isDraining = (): boolean => this.#draining
    return {
      settings: this.#settings,
      serve: this.#serve,
      roles: servedRoles(listeners),
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

function isFile(path: string): boolean {
  // Neither a pipe of Windows nor an abstract socket of Linux.
  return !path.startsWith('\\\\') && !path.startsWith('\0')
}

/**
 * Makes a server.
 * @param listener of requests to a responder, as for `http.createServer`: an Express app, for instance; or one
 * listener for each role.
 * @throws OptionError for an option that cannot be.
 */
export function createServer(
  listener: ResponderListener | RoleListeners = {},
  options: ServerOptions = {},
): FastCGIServer {
  const listeners = typeof listener === 'function' ? { responder: listener } : listener
  return new FastCGIServer(listeners, options)
}

/** For Fastify: `Fastify({ serverFactory: fastcgiServerFactory })`. */
export function fastcgiServerFactory(handler: ResponderListener): FastCGIServer {
  return createServer(handler)
}
