/** HTTP as a client of a PHP site speaks it. */
import { createHash } from 'node:crypto'
import { type Agent, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { type RawResponse, rawConnect, rawGet } from './raw-http.ts'
import { until, within } from './wait.ts'

/** A request; a body that is iterated goes out in chunks unless `headers` give its length. */
export interface Question {
  method?: string
  headers?: OutgoingHttpHeaders
  body?: Buffer | string | Iterable<Buffer> | undefined
  agent?: Agent
  /** Milliseconds for the head of the response. */
  limit?: number
}

/** A response that was received whole. */
export interface Answer {
  status: number
  reason: string
  headers: IncomingMessage['headers']
  body: Buffer
}

/** Sends a request; resolves with the head of the response, its body still on the way. */
export function open(
  port: number,
  path: string,
  question: Question = {},
): Promise<IncomingMessage> {
  const { method, headers, body, agent, limit } = question
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, method, headers, agent: agent ?? false }
    const outgoing = request(options, resolve)
    outgoing.on('error', reject)
    if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) outgoing.end(body)
    else pipeline(Readable.from(body, { objectMode: false }), outgoing).catch(reject)
  })
  return within(`an answer to ${method ?? 'GET'} ${path}`, answer, limit)
}

/** Sends a request and receives the whole response. */
export async function ask(port: number, path: string, question: Question = {}): Promise<Answer> {
  const response = await open(port, path, question)
  const body = await within(`the end of ${path}`, buffer(response), question.limit)
  const { statusCode = 0, statusMessage = '', headers } = response
  return { status: statusCode, reason: statusMessage, headers, body }
}

/** Sends a request and takes the response for JSON. */
export async function askJSON(port: number, path: string, question: Question = {}) {
  const { body } = await ask(port, path, question)
  return JSON.parse(body.toString())
}

/** Receives a response and hashes it on the way. */
export async function hashOf(
  response: AsyncIterable<Buffer>,
): Promise<{ length: number; md5: string }> {
  const hash = createHash('md5')
  let length = 0
  for await (const chunk of response) {
    length += chunk.length
    hash.update(chunk)
  }
  return { length, md5: hash.digest('hex') }
}

/** The bytes that bytes.php sends. */
export function* blocks(total: number): Generator<Buffer> {
  for (let left = total, block = 0; left > 0; left -= 65_536, block++) {
    const digest = createHash('sha256').update(String(block)).digest()
    yield Buffer.alloc(65_536, digest).subarray(0, left)
  }
}

/** Hash of the bytes that bytes.php sends. */
export function hashOfBlocks(total: number): { length: number; md5: string } {
  const hash = createHash('md5')
  for (const block of blocks(total)) hash.update(block)
  return { length: total, md5: hash.digest('hex') }
}

/** $_SERVER as server.php sees it for exactly this target; text is latin1. */
export async function serverParams(
  port: number,
  target: string,
  fields: string[] = [],
): Promise<Record<string, string>> {
  const answer = await rawGet(port, target, fields)
  const body = bodyOf(answer)
  if (!body.startsWith('{'))
    throw new Error(`${target} was answered with ${answer.status}: ${body}`)
  const values: Record<string, string> = JSON.parse(body)
  const decoded = Object.entries(values).map(([name, hex]) => [
    name,
    Buffer.from(hex, 'hex').toString('latin1'),
  ])
  return Object.fromEntries(decoded)
}

/** The body of a raw response, out of its chunks if it came in chunks. */
export function bodyOf({ headers, body }: RawResponse): string {
  if (headers['transfer-encoding'] !== 'chunked') return body
  let whole = ''
  for (let at = 0; at < body.length; ) {
    const line = body.indexOf('\r\n', at)
    const start = line + 2
    const end = start + Number.parseInt(body.slice(at, line), 16)
    whole += body.slice(start, end)
    at = end + 2
  }
  return whole
}

/** A raw connection on which a request was sent, and all that came back so far. */
export class RawConversation {
  readonly socket: Socket
  /** In latin1. */
  text = ''
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1').on('data', (text) => {
      this.text += text
    })
    socket.on('error', () => {})
    this.closed = within(
      'the end of the connection',
      new Promise((resolve) => {
        socket.once('close', () => resolve())
      }),
    )
    this.closed.catch(() => {})
  }

  static async start(port: number, bytes: string): Promise<RawConversation> {
    const conversation = new RawConversation(await rawConnect(port))
    conversation.socket.write(bytes, 'latin1')
    return conversation
  }

  /** Resolves once the text is like this. */
  async receives(pattern: RegExp): Promise<RegExpExecArray> {
    await until(`${pattern} on the connection`, () => pattern.test(this.text))
    return pattern.exec(this.text) as RegExpExecArray
  }
}
