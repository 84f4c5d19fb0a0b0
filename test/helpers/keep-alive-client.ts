/** Sends many requests as raw bytes over a few connections that are kept, and parses the responses without changing them. */
import type { Socket } from 'node:net'
import { rawConnect } from './raw-http.ts'
import { within } from './wait.ts'

/** A request in the bytes in which it is sent, as latin1. */
export interface WireRequest {
  /** HEAD has no body in the response. */
  readonly method: string
  readonly bytes: string
}

/** A response as it was received, as latin1. */
export interface WireResponse {
  /** 0 if the server closed the connection without one. */
  readonly status: number
  readonly reason: string
  /** Name, value, name, value… */
  readonly fields: readonly string[]
  /** Without its framing. */
  readonly body: string
  /** What is wrong with it: `cut` for an incomplete body, `extra` for bytes after its end. */
  readonly fault?: 'cut' | 'extra'
}

/** The responses to requests, in their order. At most `connections` requests are open at a time. */
export async function exchangeAll(
  port: number,
  requests: readonly WireRequest[],
  connections = 8,
): Promise<WireResponse[]> {
  const responses: WireResponse[] = new Array(requests.length)
  const left = requests.entries()
  const work = async (): Promise<void> => {
    const client = new KeepAliveClient(port)
    for (const [at, request] of left)
      responses[at] = await within(
        `the response to ${JSON.stringify(request.bytes)}`,
        client.send(request),
      )
    client.close()
  }
  await Promise.all(Array.from({ length: connections }, work))
  return responses
}

/** One connection at a time; a new one when the server has closed it. */
class KeepAliveClient {
  readonly #port: number
  #socket: Socket | undefined
  #received = ''
  #isClosed = true
  #wake: () => void = () => {}

  constructor(port: number) {
    this.#port = port
  }

  async send(request: WireRequest): Promise<WireResponse> {
    const isReused = !this.#isClosed
    if (this.#isClosed) await this.#connect()
    this.#socket?.write(request.bytes, 'latin1')
    let parsed = this.#parse(request)
    while (parsed === undefined && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      parsed = this.#parse(request)
    }
    // The server has closed an idle connection.
    if (parsed === undefined && isReused && this.#received === '') return this.send(request)
    const { response, length, keeps } = parsed ?? this.#parse(request, true) ?? NOTHING
    // After a response that closes the connection, nobody takes more bytes for the next one.
    const extra = keeps && this.#received.length > length
    this.#received = ''
    if (extra || !keeps || parsed === undefined) this.close()
    return extra ? { ...response, fault: 'extra' } : response
  }

  close(): void {
    this.#isClosed = true
    this.#socket?.destroy()
  }

  async #connect(): Promise<void> {
    const socket = await rawConnect(this.#port)
    this.#socket = socket
    this.#isClosed = false
    this.#received = ''
    const closed = (): void => {
      if (this.#socket === socket) this.#isClosed = true
      this.#wake()
    }
    socket.setNoDelay(true).setEncoding('latin1')
    socket.on('error', closed).on('close', closed)
    socket.on('data', (text: string) => {
      if (this.#socket === socket) this.#received += text
      this.#wake()
    })
  }

  #parse({ method }: WireRequest, isEnd = false): Parsed | undefined {
    return parseResponse(this.#received, method, isEnd)
  }
}

interface Parsed {
  readonly response: WireResponse
  readonly length: number
  /** Whether the connection can be used for another request. */
  readonly keeps: boolean
}

const NOTHING: Parsed = {
  response: { status: 0, reason: '', fields: [], body: '' },
  length: 0,
  keeps: false,
}

/** Parses a response; undefined while it is incomplete, unless its end has come. */
function parseResponse(text: string, method: string, isEnd: boolean): Parsed | undefined {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const [first = '', ...lines] = text.slice(0, end).split('\r\n')
  const [, code = '0', reason = ''] = /^HTTP\/1\.[01] (\d{3}) ?(.*)$/.exec(first) ?? []
  const status = Number(code)
  const start = end + 4
  // Informational responses precede the response (RFC 9110 §15.2).
  if (status < 200 && status > 0) {
    const next = parseResponse(text.slice(start), method, isEnd)
    return next && { ...next, length: next.length + start }
  }
  const fields = lines.flatMap((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')]
  })
  const keeps = !/\bclose\b/i.test(firstValue(fields, 'connection') ?? '')
  const head = { status, reason, fields }
  const body = bodyOf(text, start, method, status, fields)
  if (body !== undefined)
    return { response: { ...head, body: body.text }, length: body.end, keeps: keeps && body.framed }
  if (!isEnd) return undefined
  const isFramed = firstValue(fields, 'content-length') ?? firstValue(fields, 'transfer-encoding')
  const rest = { ...head, body: text.slice(start) }
  const response: WireResponse = isFramed === undefined ? rest : { ...rest, fault: 'cut' }
  return { response, length: text.length, keeps: false }
}

/** The body and where it ends; undefined while it is incomplete. */
function bodyOf(
  text: string,
  start: number,
  method: string,
  status: number,
  fields: readonly string[],
): { text: string; end: number; framed: boolean } | undefined {
  if (method === 'HEAD' || status === 204 || status === 304)
    return { text: '', end: start, framed: true }
  if (firstValue(fields, 'transfer-encoding')?.toLowerCase() === 'chunked') {
    let at = start
    let body = ''
    for (;;) {
      const line = text.indexOf('\r\n', at)
      if (line === -1) return undefined
      const size = Number.parseInt(text.slice(at, line), 16)
      at = line + 2 + size + 2
      if (text.length < at) return undefined
      if (size === 0) return { text: body, end: at, framed: true }
      body += text.slice(line + 2, at - 2)
    }
  }
  const length = firstValue(fields, 'content-length')
  if (length === undefined) return undefined
  const end = start + Number(length)
  return text.length < end ? undefined : { text: text.slice(start, end), end, framed: true }
}

/** The first value of a field. @param name in lower case. */
function firstValue(fields: readonly string[], name: string): string | undefined {
  const at = fields.findIndex((field, at) => at % 2 === 0 && field.toLowerCase() === name)
  return at === -1 ? undefined : fields[at + 1]
}
