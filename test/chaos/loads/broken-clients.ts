/** Clients that go away: in the middle of what they send, or of what they receive. */
import type { Socket } from 'node:net'
import type { Random } from '../../helpers/random.ts'
import { rawConnect } from '../../helpers/raw-http.ts'
import { delay } from '../../helpers/wait.ts'
import type { Load, LoadContext } from './load.ts'

/** How long such a client stays, at the most. */
const STAY = 1500

const FIELDS = 'Host: chaos\r\nContent-Type: application/octet-stream\r\n'

function requests({ random, id }: LoadContext): Buffer[] {
  const size = random.between(1, 200_000)
  const body = Buffer.alloc(size, 'u')
  const upload = (fields: string): string =>
    `POST /take.php HTTP/1.1\r\n${FIELDS}X-Id: ${id()}\r\n${fields}\r\n`
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\n${FIELDS}\r\n`
  const chunk = `${size.toString(16)}\r\n`
  return [
    Buffer.from(get(`/page.php?n=2000000&key=${id()}`)),
    Buffer.from(get(`/events.php?key=${id()}&count=20&pause=40`)),
    Buffer.from(get('/file.php')),
    Buffer.from(get(`/page.php?n=100&key=${id()}`).repeat(5)),
    Buffer.from(`HEAD /page.php?n=900000&key=${id()} HTTP/1.1\r\n${FIELDS}\r\n`),
    Buffer.concat([Buffer.from(upload(`Content-Length: ${size}\r\n`)), body]),
    Buffer.concat([
      Buffer.from(upload('Transfer-Encoding: chunked\r\n') + chunk),
      body,
      Buffer.from('\r\n0\r\n\r\n'),
    ]),
  ]
}

export const brokenClient: Load = async (context) => {
  const { port, random, report } = context
  const all = requests(context)
  const bytes = all[random.between(0, all.length - 1)] as Buffer
  const socket = await rawConnect(port)
  socket.on('error', () => {})
  report.count('clients that went away')
  if (random.chance(50)) {
    socket.write(bytes.subarray(0, random.between(1, bytes.length - 1)))
    await delay(random.chance(50) ? 0 : random.between(0, 300))
  } else {
    socket.write(bytes)
    await received(socket, random.length(1_000_000))
  }
  breakOff(socket, random)
}

/** Resolves when so many bytes have come, or nothing more is to be expected. */
async function received(socket: Socket, count: number): Promise<void> {
  let left = count
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, STAY)
    const done = (): void => {
      clearTimeout(timer)
      resolve()
    }
    socket.on('data', (chunk) => {
      left -= chunk.length
      if (left <= 0) done()
    })
    socket.on('close', done)
  })
}

function breakOff(socket: Socket, random: Random): void {
  if (random.chance(50)) socket.resetAndDestroy()
  else socket.destroy()
}
