/**
 * Random requests at a time on few connections, in random pieces, with random pauses and aborts: every body arrives
 * whole at its own request, and no id is used twice at a time or lost. FCGI_TEST_SEED repeats the choices of a run, its
 * timing apart; FCGI_TEST_RUNS makes it longer.
 */
import { PassThrough, Readable } from 'node:stream'
import { Pool } from '@fastcgi/client'
import { encodeEndRequest, RecordType } from '@fastcgi/protocol'
import t from 'tap'
import { send } from '../helpers/outcome.ts'
import { Random } from '../helpers/random.ts'
import {
  allAtOnce,
  type PeerConnection,
  type PeerRequest,
  record,
  startPeer,
} from '../helpers/scripted-peer.ts'
import { until } from '../helpers/wait.ts'

const SEED = Number(process.env.FCGI_TEST_SEED ?? Date.now() % 2 ** 31)
const RUNS = Number(process.env.FCGI_TEST_RUNS ?? 1000)
const LARGEST = 200_000

const random = new Random(SEED)
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** What the request of this name has as body, either way. */
function content(name: string, length: number): Buffer {
  return Buffer.alloc(length, `${name},`)
}

/** Sends the records of all requests of a connection as one sequence, in pieces that respect nothing. */
class Pieces {
  readonly #connection: PeerConnection
  #waiting: Buffer[] = []
  #sending = false

  constructor(connection: PeerConnection) {
    this.#connection = connection
  }

  add(bytes: Buffer): void {
    this.#waiting.push(bytes)
    if (!this.#sending) void this.#send()
  }

  async #send(): Promise<void> {
    this.#sending = true
    while (this.#waiting.length > 0) {
      const bytes = Buffer.concat(this.#waiting.splice(0))
      const cuts = random.between(0, 3)
      for (let at = 0, n = 0; at < bytes.length; n++) {
        const end = n < cuts ? at + 1 + random.length(bytes.length - at + 1) : bytes.length
        this.#connection.write(bytes.subarray(at, end))
        at = end
        if (random.chance(50)) await turn()
      }
    }
    this.#sending = false
  }
}

/** The application. */
const piecesOf = new WeakMap<PeerConnection, Pieces>()
const active = new WeakMap<PeerConnection, Set<number>>()
const violations: string[] = []
let largestId = 0

const application = allAtOnce(async (request, connection) => {
  const pieces = piecesOf.get(connection) ?? new Pieces(connection)
  piecesOf.set(connection, pieces)
  const ids = active.get(connection) ?? new Set()
  active.set(connection, ids)
  if (ids.has(request.id)) violations.push(`id ${request.id} was taken`)
  ids.add(request.id)
  largestId = Math.max(largestId, request.id)
  await respond(request, pieces)
  ids.delete(request.id)
  pieces.add(encodeEndRequest(request.id, 7, 0))
})

async function respond(request: PeerRequest, pieces: Pieces): Promise<void> {
  const { id } = request
  const { NAME = '', LENGTH = '', STDIN = '' } = request.params
  const stdin = await request.stdin().catch(() => undefined)
  // Given up: by ABORT_REQUEST, or, alone on its connection, by the end of that.
  if (stdin === undefined) return
  if (!stdin.equals(content(NAME, Number(STDIN)))) violations.push(`${NAME}: STDIN is not its own`)
  const head = Buffer.from(`Content-Type: text/plain\r\nX-Name: ${NAME}\r\n\r\n`)
  const bytes = Buffer.concat([head, content(NAME, Number(LENGTH))])
  for (let at = 0; at < bytes.length && !request.isAborted; ) {
    const piece = bytes.subarray(at, at + 1 + random.length(65_535))
    pieces.add(record(RecordType.STDOUT, piece, { id, padding: random.between(0, 7) }))
    at += piece.length
    if (random.chance(10)) pieces.add(record(RecordType.STDERR, `${NAME}\n`, { id }))
    if (random.chance(30)) await turn()
  }
  if (random.chance(30)) pieces.add(record(RecordType.STDOUT, '', { id }))
  while (random.chance(30)) await turn()
}

t.test(`seed ${SEED}, ${RUNS} runs`, async (t) => {
  const peer = await startPeer(application)
  t.teardown(() => peer.close())
  let total = 0
  for (let run = 0; run < RUNS && violations.length === 0; run++) {
    const pool = new Pool(peer.address, {
      multiplex: true,
      maxConnections: random.between(1, 3),
      maxMultiplexed: random.between(1, 64),
      maxPausedSize: random.length(300_000),
      maxAge: random.chance(50) ? 0 : random.between(1, 20),
      maxRequests: random.chance(50) ? 0 : random.between(1, 50),
      reuse: random.chance(50) ? 'always' : true,
    })
    const count = 1 + random.length(64)
    total += count
    await Promise.all(Array.from({ length: count }, (_, n) => exchange(pool, `${run}.${n}`)))
    await until('all ids being free', () => pool.stats.active + pool.stats.queued === 0)
    if (random.chance(50)) await pool.close()
    await pool.destroy()
  }
  t.strictSame(violations, [])
  t.ok(largestId <= 64)
  t.comment(`${total} requests, ${peer.connections.length} connections, ids up to ${largestId}`)

  async function exchange(pool: Pool, name: string): Promise<void> {
    while (random.chance(50)) await turn()
    const length = random.length(LARGEST)
    const stdin = random.length(random.chance(90) ? 1000 : LARGEST)
    const abort = random.chance(15)
    const outcome = send(
      t,
      pool,
      { params: { NAME: name, LENGTH: length, STDIN: stdin }, body: bodyOf(name, stdin) },
      { onData: (_, { control }) => pausing(() => control.resume()) },
    )
    if (abort) {
      while (random.chance(80)) await turn()
      outcome.control.abort()
    }
    const { error, body, appStatus, headers } = await outcome.done
    const whole = appStatus === 7 && body.equals(content(name, length)) && headers[3] === name
    if (error === undefined ? !whole : !abort || error.code !== 'FCGI_ABORTED')
      violations.push(`${name}: ${error ?? 'not its own response'}`)
  }
})

/** False at times; the reader goes on a little later. */
function pausing(resume: () => void): boolean {
  if (!random.chance(10)) return true
  void turn().then(turn).then(resume)
  return false
}

/** A body of one of the kinds there are. */
function bodyOf(name: string, length: number): Buffer | Readable | null {
  const whole = content(name, length)
  if (length === 0 && random.chance(50)) return null
  if (random.chance(50)) return whole
  const middle = random.between(0, length)
  const parts = [whole.subarray(0, middle), whole.subarray(middle)]
  if (random.chance(50)) return Readable.from(parts.filter((part) => part.length > 0))
  const stream = new PassThrough()
  void (async () => {
    for (const part of parts) {
      stream.write(part)
      while (random.chance(30)) await turn()
    }
    stream.end()
  })()
  return stream
}
