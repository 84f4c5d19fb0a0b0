/** Memory of large bodies: what is lent stays as it is until it is given back, and is used again then; uploads free theirs. */
import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Dispatcher, DispatchHandler } from '@fastcgi/client'
import t from 'tap'
import { peerAndPool, sent } from '../helpers/outcome.ts'
import { Random } from '../helpers/random.ts'
import {
  eachRequest,
  endRecord,
  record,
  type Script,
  stdoutRecords,
  wellBehaved,
} from '../helpers/scripted-peer.ts'
import { within } from '../helpers/wait.ts'

const STDOUT = 6
const SIZE = 16 * 1_048_576
const BYTES = randomBytes(SIZE)

/** Sends the bytes in records of all lengths. */
const inPieces: Script = eachRequest(async (request, connection) => {
  await request.stdin()
  const random = new Random(7)
  const records = [stdoutRecords('A: b\n\n')]
  for (let at = 0; at < SIZE; ) {
    const length = Math.min(SIZE - at, 1 + random.length(65_535))
    records.push(record(STDOUT, BYTES.subarray(at, at + length), { padding: random.between(0, 9) }))
    at += length
  }
  connection.write(Buffer.concat(records), endRecord())
})

interface Piece {
  at: number
  chunk: Buffer
  release: (() => void) | undefined
}

/** Takes loans, and keeps as many of them as `keeps` says. */
class Borrower implements DispatchHandler {
  readonly borrows = true
  readonly memory = new Set<ArrayBufferLike>()
  readonly kept: Piece[] = []
  lent = 0
  received = 0
  wrong = 0
  readonly over: Promise<void>
  readonly #keeps: number
  readonly #releases: boolean
  #resolve!: () => void
  #reject!: (error: Error) => void

  constructor(keeps: number, releases = true) {
    this.#keeps = keeps
    this.#releases = releases
    this.over = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  onHead(): void {}

  onData(chunk: Buffer, release?: () => void): boolean {
    this.kept.push({ at: this.received, chunk, release })
    this.received += chunk.length
    if (release !== undefined) {
      this.lent += chunk.length
      this.memory.add(chunk.buffer)
    }
    while (this.kept.length > this.#keeps) this.#check(this.kept.shift())
    return true
  }

  onEnd(): void {
    for (const piece of this.kept.splice(0)) this.#check(piece)
    this.#resolve()
  }

  onError(error: Error): void {
    this.#reject(error)
  }

  #check(piece: Piece | undefined): void {
    if (piece === undefined) return
    const { at, chunk, release } = piece
    if (!chunk.equals(BYTES.subarray(at, at + chunk.length))) this.wrong++
    if (!this.#releases) return
    // Twice does as much as once.
    release?.()
    release?.()
  }
}

async function borrow(dispatcher: Dispatcher, borrower: Borrower): Promise<void> {
  dispatcher.dispatch({ params: {} }, borrower)
  await within('the end', borrower.over)
}

for (const [name, keeps, releases] of [
  ['given back at once', 0, true],
  ['given back later', 40, true],
  ['never given back', 100_000, false],
] as const)
  t.test(`pieces that are ${name}`, async (t) => {
    const { pool } = await peerAndPool(t, inPieces, { maxAge: 0, reuse: 'always' })
    for (const _ of [1, 2, 3]) {
      const borrower = new Borrower(keeps, releases)
      await borrow(pool, borrower)
      t.equal(borrower.received, SIZE)
      t.equal(borrower.wrong, 0, 'no piece has changed while it was on loan')
      t.ok(borrower.lent > SIZE * 0.9, `${borrower.lent} bytes were not copied`)
      if (keeps === 0) t.ok(borrower.memory.size <= 2, `in ${borrower.memory.size} buffers`)
      if (keeps === 40) t.ok(borrower.memory.size <= 60, `in ${borrower.memory.size} buffers`)
    }
  })

t.test('many at a time do not get into each other', async (t) => {
  const { pool } = await peerAndPool(t, inPieces, { maxConnections: 8 })
  const borrowers = Array.from({ length: 8 }, (_, n) => new Borrower(3 * n, n !== 5))
  await Promise.all(borrowers.map((borrower) => borrow(pool, borrower)))
  for (const { wrong, received } of borrowers)
    t.same({ wrong, received }, { wrong: 0, received: SIZE })
})

t.test('a piece stays when its connection is gone', async (t) => {
  const script: Script = async (connection) => {
    await (await connection.request()).stdin()
    connection.write(stdoutRecords('A: b\n\n'), stdoutRecords(BYTES.subarray(0, 1_000_000)))
    connection.finish()
  }
  const { pool } = await peerAndPool(t, script)
  const broken = new Borrower(1000)
  await t.rejects(borrow(pool, broken), { code: 'FCGI_PREMATURE_CLOSE' })
  const { pool: other } = await peerAndPool(t, inPieces)
  await borrow(other, new Borrower(0))
  for (const { at, chunk } of broken.kept)
    t.ok(chunk.equals(BYTES.subarray(at, at + chunk.length)), `at ${at}`)
})

const ok = wellBehaved()

t.test('chunks of a body that are nobody else’s are freed', async (t) => {
  const { pool } = await peerAndPool(t, ok)
  const chunks = () => [100_000, 65_536, 65_535, 10].map((size) => Buffer.allocUnsafeSlow(size))
  const upload = async (disposeBody: boolean, listen = false, given = chunks()) => {
    const body = Readable.from(given, { objectMode: true })
    if (listen) body.on('data', () => {})
    const bodyLength = given.reduce((sum, chunk) => sum + chunk.length, 0)
    await sent(t, pool, { body, bodyLength, disposeBody })
    return given.map((chunk) => chunk.length)
  }
  t.same(await upload(true), [0, 0, 0, 0])
  t.same(await upload(false), [100_000, 65_536, 65_535, 10])
  t.same(
    await upload(true, true),
    [100_000, 65_536, 65_535, 10],
    'somebody else reads them as well',
  )
  t.same(await upload(true, false, [Buffer.from('of the pool')]), [11])
})
