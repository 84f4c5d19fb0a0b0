import type { Socket } from 'node:net'
import type { ParamWriter } from './param-writer.ts'

/**
 * Params about the two ends of a client's connection, encoded once for all of its requests. What stands in them does not
 * change with a request, unless a trusted proxy carries several clients on one connection.
 */
export class ConnectionParams {
  readonly #makeWriter: () => ParamWriter
  readonly #known = new WeakMap<Socket, { address: string; block: Buffer }>()

  /** @param makeWriter makes an empty block. */
  constructor(makeWriter: () => ParamWriter) {
    this.#makeWriter = makeWriter
  }

  /** The block of a connection. @param address of the client; '' for the socket's. */
  of(socket: Socket, address: string): Buffer {
    const known = this.#known.get(socket)
    if (known !== undefined && known.address === address) return known.block
    const writer = this.#makeWriter()
    addEnds(writer, socket, address)
    const block = writer.finish()
    this.#known.set(socket, { address, block })
    return block
  }
}

/** REMOTE_ADDR, REMOTE_HOST, REMOTE_PORT and SERVER_ADDR (RFC 3875 §4.1.8, §4.1.9). */
export function addEnds(writer: ParamWriter, socket: Socket, client: string): void {
  const peer = socket.remoteAddress
  // A unix socket has no address; to leave it empty or to call it 127.0.0.1 would let it pass for a trusted client.
  const address = plainAddress(client || peer) || 'unix:'
  writer.add('REMOTE_ADDR', address)
  writer.add('REMOTE_HOST', address)
  const isPeer = client === '' || client === peer
  if (isPeer && socket.remotePort !== undefined)
    writer.add('REMOTE_PORT', String(socket.remotePort))
  writer.add('SERVER_ADDR', plainAddress(socket.localAddress))
}

/** IPv4 addresses of a dual-stack socket in their usual spelling. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return ''
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
