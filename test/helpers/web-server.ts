/** The web server's side of a connection, record by record, also what no real one does. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createServer,
  type FastCGIServer,
  type ResponderListener,
  type RoleListeners,
  type ServerOptions,
} from '@fastcgi/application'
import {
  encodeNameValues,
  encodeRecord,
  encodeRequestHead,
  RecordReader,
  RecordType,
  ResponseHeadParser,
  Role,
} from '@fastcgi/protocol'
import type { Test } from 'tap'
import { within } from './wait.ts'

/** A server on a free port of loopback, gone with the test. */
export async function startServer(
  t: Test,
  listener: ResponderListener | RoleListeners,
  options: ServerOptions = {},
): Promise<{ server: FastCGIServer; port: number }> {
  const server = createServer(listener, options)
  server.listen({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  t.teardown(async () => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  })
  return { server, port: (server.address() as AddressInfo).port }
}

/** A directory of its own, gone with the test; its name is short, as paths of unix sockets have to be. */
export function temporary(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** What a request is to be. */
export interface Ask {
  id?: number
  role?: number
  keep?: boolean
  params?: Record<string, string>
  /** More params, after the others; names may repeat. */
  more?: ReadonlyArray<readonly [string, string]>
  /** Undefined: STDIN is not ended. */
  body?: string | Buffer | undefined
  /** FCGI_DATA, for filters. */
  data?: string | undefined
}

/** What came back for one id. */
export interface Answer {
  /** What STDOUT carried so far. */
  readonly stdout: Buffer
  stderr: string
  /** Whether the streams were ended by their empty records. */
  stdoutEnded: boolean
  stderrEnded: boolean
  /** END_REQUEST, once it came. */
  end: { appStatus: number; protocolStatus: number } | undefined
  /** Resolves with END_REQUEST, or when the connection ends without. */
  done: Promise<void>
}

class Collected implements Answer {
  readonly pieces: Buffer[] = []
  stderr = ''
  stdoutEnded = false
  stderrEnded = false
  end: Answer['end'] = undefined
  resolve = (): void => {}
  readonly done: Promise<void> = new Promise((resolve) => {
    this.resolve = resolve
  })

  get stdout(): Buffer {
    const all = Buffer.concat(this.pieces)
    this.pieces.splice(0, this.pieces.length, all)
    return all
  }
}

const PARAMS = {
  REQUEST_METHOD: 'GET',
  REQUEST_URI: '/',
  SERVER_PROTOCOL: 'HTTP/1.1',
  HTTP_HOST: 'localhost',
}

/** A connection to an application. */
export class WebServer {
  readonly socket: Socket
  /** Management records that came: type and content. */
  readonly management: Array<{ type: number; content: Buffer }> = []
  /** Ids of the records of STDOUT, in the order they came, and the sizes of their pieces. */
  readonly order: Array<{ id: number; length: number }> = []
  /** Resolves when the application has closed its side. */
  readonly ended: Promise<void>
  readonly closed: Promise<void>
  readonly #answers = new Map<number, Collected>()
  readonly #takers = new Map<number, (chunk: Buffer) => void>()
  #watchers: Array<() => void> = []

  constructor(socket: Socket) {
    this.socket = socket
    const reader = new RecordReader({
      onStream: (type, id, chunk) => {
        const answer = this.answer(id)
        if (type === RecordType.STDERR) answer.stderr += chunk.toString()
        else this.#onStdout(id, chunk)
      },
      onStreamEnd: (type, id) => {
        if (type === RecordType.STDERR) this.answer(id).stderrEnded = true
        else this.answer(id).stdoutEnded = true
      },
      onMessage: (type, id, content) => {
        if (id === 0) this.management.push({ type, content: Buffer.from(content) })
        else if (type === RecordType.END_REQUEST) {
          const answer = this.#answer(id)
          answer.end = { appStatus: content.readUInt32BE(0), protocolStatus: content.readUInt8(4) }
          answer.resolve()
        }
      },
    })
    socket.on('data', (chunk) => {
      reader.push(chunk)
      for (const watch of this.#watchers.splice(0)) watch()
    })
    socket.on('error', () => {})
    this.ended = new Promise((resolve) => socket.once('end', resolve))
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()))
    this.closed.then(() => {
      for (const answer of this.#answers.values()) answer.resolve()
      for (const watch of this.#watchers.splice(0)) watch()
    })
  }

  /** What came for an id so far. */
  answer(id = 1): Answer {
    return this.#answer(id)
  }

  /** Begins anew with what comes for an id. */
  forget(id: number): void {
    this.#answers.delete(id)
  }

  /** Hands STDOUT of an id on as it comes; its answer does not collect it. */
  onStdout(id: number, take: (chunk: Buffer) => void): void {
    this.#takers.set(id, take)
  }

  #onStdout(id: number, chunk: Buffer): void {
    this.order.push({ id, length: chunk.length })
    const take = this.#takers.get(id)
    if (take !== undefined) take(chunk)
    else this.#answer(id).pieces.push(chunk)
  }

  /** Sends a request; its answer collects what comes. */
  ask({ id = 1, role = Role.RESPONDER, keep = true, params = {}, ...rest }: Ask = {}): Answer {
    this.#answers.delete(id)
    const answer = this.#answer(id)
    const pairs = [...Object.entries({ ...PARAMS, ...params }), ...(rest.more ?? [])]
    this.socket.write(
      encodeRequestHead({
        requestId: id,
        role: role as Role,
        keepConnection: keep,
        params: encodeNameValues(pairs),
        endStdin: false,
      }),
    )
    const { body = '', data } = rest
    if (!('body' in rest) || rest.body !== undefined) this.stdin(body, id)
    if (!('body' in rest) || rest.body !== undefined) this.stdin('', id, true)
    if (data !== undefined) {
      this.socket.write(encodeRecord(RecordType.DATA, id, Buffer.from(data)))
      this.socket.write(encodeRecord(RecordType.DATA, id))
    }
    return answer
  }

  /** Sends and waits for the end. */
  async get(ask: Ask = {}): Promise<Response> {
    const answer = this.ask(ask)
    await within('END_REQUEST', answer.done)
    return parse(answer)
  }

  /** Sends a piece of STDIN of any length, or its end. */
  stdin(content: string | Buffer, id = 1, end = false): void {
    const bytes = Buffer.from(content)
    for (let at = 0; at < bytes.length; at += 65_528)
      this.socket.write(encodeRecord(RecordType.STDIN, id, bytes.subarray(at, at + 65_528)))
    if (end) this.socket.write(encodeRecord(RecordType.STDIN, id))
  }

  /** Waits until what came fulfils a condition. */
  async until(what: string, condition: () => boolean): Promise<void> {
    const wait = async (): Promise<void> => {
      while (!condition()) {
        if (this.socket.destroyed) throw new Error(`the connection ended before ${what}`)
        await new Promise<void>((resolve) => this.#watchers.push(resolve))
      }
    }
    await within(what, wait())
  }

  #answer(id: number): Collected {
    const known = this.#answers.get(id)
    if (known !== undefined) return known
    const answer = new Collected()
    this.#answers.set(id, answer)
    return answer
  }
}

/** A CGI response, taken apart. */
export interface Response extends Answer {
  status: number
  headers: Record<string, string>
  body: string
}

export function parse(answer: Answer): Response {
  const head = new ResponseHeadParser()
  const bodyAt = answer.stdout.length === 0 ? 0 : head.push(answer.stdout)
  const headers: Record<string, string> = {}
  for (let at = 0; at < head.headers.length; at += 2)
    headers[String(head.headers[at]).toLowerCase()] = String(head.headers[at + 1])
  const body = answer.stdout.subarray(Math.max(0, bodyAt)).toString()
  return Object.assign(answer, { status: head.status, headers, body })
}

/** Connects as a web server; gone with the test. */
export async function connectTo(t: Test, where: number | string): Promise<WebServer> {
  const socket =
    typeof where === 'string' ? connect(where) : connect({ host: '127.0.0.1', port: where })
  t.teardown(() => socket.destroy())
  socket.setNoDelay(true)
  await within('the connection', once(socket, 'connect'))
  return new WebServer(socket)
}
