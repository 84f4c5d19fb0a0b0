import type { Address } from '../address.ts'
import { OptionError } from '../errors.ts'
import type { PoolSettings } from '../options.ts'
import {
  type ApplicationSocket,
  openPlain,
  openSecure,
  type SocketEvents,
} from './application-socket.ts'
import { TLSClient } from './tls-client.ts'

/** An address, and how it is connected to. */
export class Endpoint {
  readonly address: Address
  readonly #keepAlive: boolean
  readonly #tls: TLSClient | undefined

  /** @throws OptionError for the option `tls` where the address is not encrypted, or for an invalid certificate. */
  constructor(address: Address, { tcpKeepAlive, tls }: PoolSettings) {
    this.address = address
    this.#keepAlive = tcpKeepAlive
    if (address.kind === 'tls') this.#tls = new TLSClient(address.host, address.port, tls ?? {})
    else if (tls !== undefined)
      throw new OptionError(
        `Pool: option tls needs an address fcgis://host:port, and ${address.name} is none; ` +
          'where only some members are encrypted, give the option to these',
      )
  }

  /** Connects; calls `onOpen`, or the socket emits 'error' and 'close'. */
  open(events: SocketEvents): ApplicationSocket {
    return this.#tls === undefined
      ? openPlain(this.address, this.#keepAlive, events)
      : openSecure(this.#tls, this.#keepAlive, events)
  }
}
