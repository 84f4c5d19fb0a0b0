/** Asks a gateway without an application behind it: a dispatcher that keeps what it is sent, and answers. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, IncomingMessage, ServerResponse } from 'node:http'
import { type AddressInfo, connect, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type {
  DispatchControl,
  Dispatcher,
  DispatcherStats,
  DispatchHandler,
  FastCGIRequest,
  FastCGIResponse,
} from '@fastcgi/client'
import {
  type ClientInfo,
  createGateway,
  type Gateway,
  type GatewayError,
  type GatewayOptions,
  type GatewayRequest,
  type GatewayResponse,
} from '@fastcgi/gateway'
import { decodeNameValues } from '@fastcgi/protocol'
import type { Test } from 'tap'

/** One request as it reached the dispatcher. */
export interface Seen {
  /** Text is latin1: one character, one byte. */
  params: Record<string, string>
  /** In the order they are sent, duplicates kept. */
  pairs: Array<[string, string]>
  request: FastCGIRequest
  /** The body as far as it came. */
  body: Buffer
  /** Why the body did not come to its end. */
  bodyError?: Error
}

/** An upstream that answers 200 with the number of the request, once it has read the body. */
export class Upstream implements Dispatcher {
  readonly seen: Seen[] = []
  closed = 0
  /** Fields of its answers. */
  headers = ['Content-Type', 'text/plain', 'X-Upstream', 'stub']

  dispatch(request: FastCGIRequest, handler: DispatchHandler): DispatchControl {
    const pairs = decodeNameValues(request.params as Buffer, 'latin1')
    const seen: Seen = { params: Object.fromEntries(pairs), pairs, request, body: Buffer.alloc(0) }
    this.seen.push(seen)
    const number = this.seen.length
    const answer = (): void => {
      handler.onHead(200, this.headers, '', false)
      handler.onData(Buffer.from(`answer ${number}`))
      handler.onEnd(0)
    }
    const { body } = request
    if (body === null || body === undefined) setImmediate(answer)
    else if (typeof body === 'string' || Buffer.isBuffer(body)) {
      seen.body = Buffer.from(body)
      setImmediate(answer)
    } else {
      body.on('data', (chunk) => {
        seen.body = Buffer.concat([seen.body, chunk])
      })
      body.once('end', answer)
      body.once('error', (error) => {
        seen.bodyError = error
      })
    }
    return { resume() {}, abort() {} }
  }

  request(): Promise<FastCGIResponse> {
    throw new Error('not here')
  }

  async close(): Promise<void> {
    this.closed++
  }

  async destroy(): Promise<void> {}

  get stats(): DispatcherStats {
    const none = { connections: 0, idle: 0, active: 0, queued: 0, limit: 0, failed: 0, retries: 0 }
    return { ...none, requests: this.seen.length }
  }

  /** The one request there was. */
  get only(): Seen {
    const [first, ...more] = this.seen
    if (first === undefined || more.length > 0)
      throw new Error(`${this.seen.length} requests reached the upstream, not one`)
    return first
  }
}

/** A logger that keeps lines as `level message`. */
export function memoryLogger(): {
  lines: string[]
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
} {
  const lines: string[] = []
  return {
    lines,
    info: (_details, message) => void lines.push(`info ${message}`),
    warn: (_details, message) => void lines.push(`warn ${message}`),
    error: (_details, message) => void lines.push(`error ${message}`),
  }
}

/** What a request of {@link ask} is made of. */
export interface Asked {
  method?: string
  headers?: Record<string, string | string[]>
  httpVersion?: string
  mount?: string
  client?: Partial<ClientInfo>
  /** Of the server's end of the connection. */
  socket?: Record<string, unknown>
  script?: string
  env?: NonNullable<GatewayRequest['env']>
  source?: unknown
}

/** What a gateway makes of a request. */
export interface Told {
  /** 200 when it was dispatched, 404 when it was declined, else the status of the failure. */
  status: number
  error: GatewayError | undefined
  response: GatewayResponse | undefined
}

/** Hands a request in that no parser has touched. */
export function ask(gateway: Gateway<never>, url: string, asked: Asked = {}): Promise<Told> {
  const ends = {
    remoteAddress: '192.0.2.7',
    remotePort: 50_123,
    localAddress: '198.51.100.1',
    localPort: 8080,
    ...asked.socket,
  }
  const socket = new Socket()
  for (const [name, value] of Object.entries(ends)) Object.defineProperty(socket, name, { value })
  const req = new IncomingMessage(socket)
  req.method = asked.method ?? 'GET'
  req.url = url
  req.headers = { host: 'www.example', ...asked.headers }
  req.httpVersion = asked.httpVersion ?? '1.1'
  req.httpVersionMajor = 1
  req.complete = true
  req.push(null)
  const request: GatewayRequest<never> = {
    req,
    res: new ServerResponse(req),
    source: (asked.source ?? req) as never,
    url,
    mount: asked.mount ?? '',
    client: { address: '', scheme: 'http', host: req.headers.host ?? '', ...asked.client },
    ...(asked.script !== undefined && { script: asked.script }),
    ...(asked.env !== undefined && { env: asked.env }),
  }
  return new Promise((resolve) => {
    gateway.handle(request, (error, response) => {
      const status = error?.status ?? response?.status ?? 404
      resolve({ status, error, response })
    })
  })
}

/** A gateway on a stub, and what it is asked. */
export function stubbed(options: Partial<GatewayOptions<never>> = {}): {
  upstream: Upstream
  gateway: Gateway<never>
  log: string[]
  /** The params a request leads to; throws when it leads to something else. */
  params(url: string, asked?: Asked): Promise<Record<string, string>>
  /** `SCRIPT_NAME + PATH_INFO`, or the status when there is none. */
  names(url: string, asked?: Asked): Promise<string>
} {
  const upstream = new Upstream()
  const logger = memoryLogger()
  const gateway = createGateway<never>({ upstream, logger, ...options })
  const params = async (url: string, asked?: Asked): Promise<Record<string, string>> => {
    upstream.seen.length = 0
    const { status, error } = await ask(gateway, url, asked)
    if (status !== 200 || upstream.seen.length === 0)
      throw new Error(`${url}: ${status} ${error?.message ?? ''}`)
    return upstream.only.params
  }
  const names = async (url: string, asked?: Asked): Promise<string> => {
    upstream.seen.length = 0
    const { status, error } = await ask(gateway, url, asked)
    if (error !== undefined || upstream.seen.length === 0) return String(status)
    const { SCRIPT_NAME, PATH_INFO } = upstream.only.params
    return `${SCRIPT_NAME} + ${PATH_INFO ?? ''}`
  }
  return { upstream, gateway, log: logger.lines, params, names }
}

/** A directory with these files (ending in a slash: directories; `-> target`: symlinks), gone after the test. */
export function site(t: Test, ...files: string[]): string {
  const root = mkdtempSync(join(tmpdir(), 'site-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  for (const file of files) {
    const [name = '', target] = file.split(' -> ')
    const path = join(root, name)
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true })
    if (target !== undefined) symlinkSync(target, path)
    else if (!name.endsWith('/')) writeFileSync(path, `<?php // ${name}`)
  }
  return root
}

/** A server on a stub, for what has to come over the wire. */
export async function serve(
  t: Test,
  options: Partial<GatewayOptions> = {},
): Promise<{
  upstream: Upstream
  port: number
  log: string[]
  /** Sends bytes as they are; resolves with all that came back until the server closed. */
  raw(...pieces: Array<string | Buffer>): Promise<string>
}> {
  const upstream = new Upstream()
  const logger = memoryLogger()
  const gateway = createGateway({ upstream, logger, root: site(t, 'x.php'), ...options })
  const server = createServer(gateway.handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await gateway.close()
  })
  const { port } = server.address() as AddressInfo
  const raw = (...pieces: Array<string | Buffer>): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1')
      const chunks: Buffer[] = []
      socket.on('data', (chunk) => chunks.push(chunk))
      socket.on('error', reject)
      socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')))
      for (const piece of pieces) socket.write(piece, 'latin1')
    })
  return { upstream, port, log: logger.lines, raw }
}

/** A request head that closes its connection. */
export function head(line: string, ...fields: string[]): string {
  return [line, 'Host: www.example', 'Connection: close', ...fields, '', ''].join('\r\n')
}
