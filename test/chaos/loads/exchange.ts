/** One HTTP request and what came of it, whatever that is. */
import { type Agent, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http'
import { Readable } from 'node:stream'

/** Longer than any answer takes that comes at all. */
export const LIMIT = 45_000

export interface Question {
  method?: string
  headers?: OutgoingHttpHeaders
  /** Pieces go out in chunks unless `headers` tell the length. */
  body?: Buffer | AsyncIterable<Buffer>
  agent?: Agent
  /** Milliseconds to wait after each piece that is read. */
  pace?: number
}

export interface Reply {
  status: number
  headers: IncomingMessage['headers']
  body: Buffer
  /**
   * `whole`: with a complete framing. `cut`: it broke off behind the head. `none`: the connection ended without a head. `late`: it
   * did not end.
   */
  end: 'whole' | 'cut' | 'none' | 'late'
  error: string
  /** Whether it was sent on a connection that had been kept. */
  reused: boolean
}

/** Never rejects. */
export function exchange(port: number, path: string, question: Question = {}): Promise<Reply> {
  const { method = 'GET', headers = {}, body, agent, pace } = question
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let response: IncomingMessage | undefined
    const options = { host: '127.0.0.1', port, path, method, headers, agent: agent ?? false }
    const outgoing = request(options)
    const finish = (end: Reply['end'], error = ''): void => {
      clearTimeout(timer)
      const { statusCode: status = 0, headers = {} } = response ?? {}
      const reused = outgoing.reusedSocket
      resolve({ status, headers, body: Buffer.concat(chunks), end, error, reused })
      if (end !== 'whole' || !outgoing.writableFinished) outgoing.destroy()
    }
    const timer = setTimeout(() => finish('late'), LIMIT)
    const fail = (error: Error): void =>
      finish(response === undefined ? 'none' : 'cut', error.message)
    outgoing.on('error', fail)
    outgoing.on('response', (incoming) => {
      response = incoming
      incoming.on('error', fail)
      incoming.on('end', () => finish(incoming.complete ? 'whole' : 'cut'))
      incoming.on('close', () => finish('cut', 'closed'))
      incoming.on('data', (chunk) => {
        chunks.push(chunk)
        if (pace === undefined) return
        incoming.pause()
        setTimeout(() => incoming.resume(), pace)
      })
    })
    if (body === undefined || Buffer.isBuffer(body)) outgoing.end(body)
    else sendPieces(body, outgoing)
  })
}

function sendPieces(body: AsyncIterable<Buffer>, outgoing: ReturnType<typeof request>): void {
  const source = Readable.from(body, { objectMode: false })
  source.pipe(outgoing)
  outgoing.on('close', () => source.destroy())
}
