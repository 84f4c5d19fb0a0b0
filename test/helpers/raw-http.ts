import { connect, type Socket } from 'node:net'

/** What came back on a raw connection. */
export interface RawResponse {
  /** Everything that was received, as latin1. */
  text: string
  status: number
  /** Lower-case names; repeated fields joined by '\n'. */
  headers: Record<string, string>
  /** Behind the head, chunked framing not removed. */
  body: string
  /** How the connection ended. */
  end: 'end' | 'reset'
}

/** Opens a raw connection to a loopback port; the caller writes whatever bytes it likes. */
export function rawConnect(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port }, () => resolve(socket))
    socket.once('error', reject)
  })
}

/** Sends bytes as they are and reads until the server closes; say `Connection: close` in the request. */
export async function rawRequest(port: number, bytes: string | Buffer): Promise<RawResponse> {
  const socket = await rawConnect(port)
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  const end = new Promise<'end' | 'reset'>((resolve) => {
    socket.once('error', () => resolve('reset'))
    socket.once('close', () => resolve('end'))
  })
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  const how = await end
  return { ...parseResponse(Buffer.concat(chunks).toString('latin1')), end: how }
}

/** A GET of exactly this target, which no client library has touched. */
export function rawGet(port: number, target: string, fields: string[] = []): Promise<RawResponse> {
  const head = [`GET ${target} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...fields]
  return rawRequest(port, `${head.join('\r\n')}\r\n\r\n`)
}

function parseResponse(text: string): Omit<RawResponse, 'end'> {
  const split = text.indexOf('\r\n\r\n')
  const [first = '', ...lines] = text.slice(0, split === -1 ? text.length : split).split('\r\n')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const name = line.slice(0, line.indexOf(':')).toLowerCase()
    const value = line.slice(line.indexOf(':') + 1).trim()
    headers[name] = name in headers ? `${headers[name]}\n${value}` : value
  }
  return {
    text,
    status: Number(first.split(' ')[1] ?? 0),
    headers,
    body: split === -1 ? '' : text.slice(split + 4),
  }
}
