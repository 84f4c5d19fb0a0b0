// An HTTP client of little cost for transfers of large bodies.
import { once } from 'node:events'
import { connect, type Socket, type SocketConnectOpts } from 'node:net'

// Shared by all clients, because data that is read is only counted.
const readBuffer = Buffer.allocUnsafeSlow(1 << 18)

/** One HTTP request on its own connection. It writes and counts bytes without parsing them, so it costs little CPU. */
export class RawClient {
  readonly #socket: Socket
  #received = 0
  #head = ''
  #expected = Number.POSITIVE_INFINITY
  #onDone: (() => void) | undefined

  private constructor(port: number) {
    const options: SocketConnectOpts = {
      port,
      host: '127.0.0.1',
      onread: {
        buffer: readBuffer,
        callback: (length) => {
          this.#take(readBuffer.subarray(0, length))
          return true
        },
      },
    }
    this.#socket = connect(options)
    this.#socket.on('error', (error) => {
      throw error
    })
  }

  static async connect(port: number): Promise<RawClient> {
    const client = new RawClient(port)
    await once(client.#socket, 'connect')
    return client
  }

  /** Sends a GET; resolves with the length of the body in bytes when it has been received completely. */
  async get(path: string): Promise<number> {
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    return await this.#answer()
  }

  /** Sends a GET and does not read the response. */
  async ignore(path: string): Promise<void> {
    this.#socket.pause()
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  }

  /** Sends a body of that many bytes as fast as the server reads it; resolves when the response has been received. */
  async post(path: string, length: number): Promise<number> {
    const answer = this.#answer()
    const piece = Buffer.alloc(1 << 18, 'x')
    const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: ${length}\r\n\r\n`
    this.#socket.write(head)
    for (let left = length; left > 0; left -= piece.length)
      if (!this.#socket.write(left < piece.length ? piece.subarray(0, left) : piece))
        await once(this.#socket, 'drain')
    return await answer
  }

  close(): void {
    this.#socket.destroy()
  }

  #answer(): Promise<number> {
    this.#head = ''
    this.#received = 0
    this.#expected = Number.POSITIVE_INFINITY
    return new Promise((resolve) => {
      this.#onDone = () => resolve(this.#expected)
    })
  }

  #take(bytes: Buffer): void {
    this.#received += bytes.length
    if (this.#expected === Number.POSITIVE_INFINITY) this.#readHead(bytes)
    if (this.#received >= this.#expected) this.#onDone?.()
  }

  #readHead(bytes: Buffer): void {
    this.#head += bytes.toString('latin1')
    const end = this.#head.indexOf('\r\n\r\n')
    if (end === -1) return
    this.#received = this.#head.length - end - 4
    const head = this.#head.slice(0, end)
    const length = /^content-length: (\d+)/im.exec(head)
    if (length === null || !head.startsWith('HTTP/1.1 200'))
      throw new Error(`unexpected answer: ${head}`)
    this.#expected = Number(length[1])
  }
}
