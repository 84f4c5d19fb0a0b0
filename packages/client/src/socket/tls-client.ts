import { isIP, type SocketConstructorOpts } from 'node:net'
import {
  type ConnectionOptions,
  checkServerIdentity,
  connect,
  createSecureContext,
  type SecureContext,
  type TLSSocket,
} from 'node:tls'
import { OptionError } from '../errors.ts'
import type { TLSOptions } from '../options.ts'

/** What the encrypted connections to one address share: certificates, verification, and the session that is resumed. */
export class TLSClient {
  readonly #options: ConnectionOptions
  #session: Buffer | undefined

  /** @throws OptionError when a certificate or key cannot be read. */
  constructor(host: string, port: number, options: TLSOptions) {
    const { servername = host, rejectUnauthorized = true } = options
    this.#options = {
      host,
      port,
      rejectUnauthorized,
      secureContext: contextOf(options),
      // RFC 6066 §3: no IP addresses.
      ...(isIP(servername) === 0 ? { servername } : {}),
      checkServerIdentity: (_, certificate) => checkServerIdentity(servername, certificate),
    }
  }

  /** Opens a connection. A handshake that resumes a session needs neither certificates nor signatures. */
  connect(socketOptions: SocketConstructorOpts): TLSSocket {
    const session = this.#session
    const socket = connect({ ...socketOptions, ...this.#options, ...(session && { session }) })
    socket.on('session', (session) => {
      this.#session = session
    })
    socket.on('error', () => {
      this.#session = undefined
    })
    return socket
  }
}

function contextOf({ ca, cert, key }: TLSOptions): SecureContext {
  if ((cert === undefined) !== (key === undefined))
    throw new OptionError('Pool: options tls.cert and tls.key: give both of them')
  try {
    return createSecureContext({
      minVersion: 'TLSv1.2',
      ...(ca === undefined ? {} : { ca: [ca].flat() as Array<string | Buffer> }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    })
  } catch (cause) {
    throw new OptionError(
      `Pool: option tls: a certificate or key cannot be used: ${(cause as Error).message}`,
    )
  }
}
