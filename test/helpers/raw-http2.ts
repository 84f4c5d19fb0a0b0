/** HTTP/2 requests whose fields no client library has checked: one stream, literal header fields, no compression. */
import { rawConnect } from './raw-http.ts'
import { within } from './wait.ts'

const DATA = 0
const HEADERS = 1
const RST_STREAM = 3
const SETTINGS = 4
const GOAWAY = 7
const END_STREAM = 1
const ACK = 1
const END_HEADERS = 4

/** How the server ended the stream: with a response head, or with an error code (RFC 9113 §7). */
export type Outcome = { kind: 'response' } | { kind: 'reset' | 'goaway'; code: number }

/** Sends the fields, in order, and the body; resolves with the first thing that the server does about the stream. */
export async function rawHTTP2(
  port: number,
  fields: ReadonlyArray<readonly [name: string, value: string]>,
  body?: string,
): Promise<Outcome> {
  const socket = await rawConnect(port)
  const outcome = new Promise<Outcome>((resolve, reject) => {
    let received = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      while (received.length >= 9) {
        const length = received.readUIntBE(0, 3)
        if (received.length < 9 + length) return
        const type = received[3]
        const flags = received[4] ?? 0
        const payload = received.subarray(9, 9 + length)
        received = received.subarray(9 + length)
        if (type === HEADERS) resolve({ kind: 'response' })
        else if (type === RST_STREAM) resolve({ kind: 'reset', code: payload.readUInt32BE(0) })
        else if (type === GOAWAY) resolve({ kind: 'goaway', code: payload.readUInt32BE(4) })
        else if (type === SETTINGS && (flags & ACK) === 0) socket.write(frame(SETTINGS, ACK, 0))
      }
    })
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed without an answer')))
  })
  const end = body === undefined ? END_STREAM : 0
  const frames = [
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    frame(SETTINGS, 0, 0),
    frame(HEADERS, END_HEADERS | end, 1, Buffer.concat(fields.map(literal))),
  ]
  if (body !== undefined) frames.push(frame(DATA, END_STREAM, 1, Buffer.from(body)))
  socket.write(Buffer.concat(frames))
  try {
    return await within('an answer over HTTP/2', outcome)
  } finally {
    socket.destroy()
  }
}

function frame(type: number, flags: number, stream: number, payload = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** A literal header field without indexing (RFC 7541 §6.2.2); texts of fewer than 127 bytes. */
function literal([name, value]: readonly [string, string]): Buffer {
  const text = (string: string): Buffer[] => {
    const bytes = Buffer.from(string, 'latin1')
    if (bytes.length > 126) throw new Error('too long')
    return [Buffer.from([bytes.length]), bytes]
  }
  return Buffer.concat([Buffer.from([0]), ...text(name), ...text(value)])
}
