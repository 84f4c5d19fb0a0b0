import type { Socket } from 'node:net'
import type { ParamWriter } from './param-writer.ts'

/**
 * The address params of each client connection (REMOTE_ADDR and so on), encoded once and reused for all of its requests. They
 * are encoded again when the client's address changes: a trusted proxy can forward several clients on one connection.
 */
export class ConnectionParams {
  readonly #makeWriter: () => ParamWriter
  readonly #known = new WeakMap<Socket, { address: string; block: Buffer }>()

  /** @param makeWriter makes a writer with an empty block. */
  constructor(makeWriter: () => ParamWriter) {
    this.#makeWriter = makeWriter
  }

  /** The encoded params of a connection. @param address of the client; '' for the socket's. */
  of(socket: Socket, address: string): Buffer {
    const known = this.#known.get(socket)
    if (known !== undefined && known.address === address) return known.block
    const writer = this.#makeWriter()
    addAddresses(writer, socket, address)
    // A copy: an idle client must hold neither the memory that the writer has taken, nor a part of the pool of Buffer.from().
    const written = writer.finish()
    const block = Buffer.allocUnsafeSlow(written.length)
    written.copy(block)
    this.#known.set(socket, { address, block })
    return block
  }
}

/** REMOTE_ADDR, REMOTE_HOST, REMOTE_PORT and SERVER_ADDR (RFC 3875 §4.1.8, §4.1.9). */
export function addAddresses(writer: ParamWriter, socket: Socket, client: string): void {
  const peer = socket.remoteAddress
  // A Unix socket has no address. An empty one, or 127.0.0.1, could make an application trust the client.
  const address = plainAddress(client || peer) || 'unix:'
  writer.add('REMOTE_ADDR', address)
  writer.add('REMOTE_HOST', address)
  const isPeer = client === '' || client === peer
  if (isPeer && socket.remotePort !== undefined)
    writer.add('REMOTE_PORT', String(socket.remotePort))
  writer.add('SERVER_ADDR', plainAddress(socket.localAddress))
}

/** An address without the `::ffff:` prefix that dual-stack sockets put before IPv4 addresses; '' for undefined. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return ''
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
