/** Ways to cut the same bytes into chunks. A decoder must find the same in all of them. */
import { isDeepStrictEqual } from 'node:util'
import type t from 'tap'

/** One way of cutting; `name` tells a failure apart and repeats it. */
export interface Chunking {
  name: string
  chunks: Iterable<Buffer>
}

/** Seed of the random splits; FASTCGI_TEST_SEED repeats a run that failed. */
export const seed: number = Number(process.env.FASTCGI_TEST_SEED ?? Date.now() % 2 ** 31)

/** Decodes under every chunking; one assertion, which on failure names the first chunking that went wrong. */
export function sameUnder(
  test: Pick<typeof t, 'strictSame' | 'pass'>,
  ways: Iterable<Chunking>,
  decode: (chunks: Iterable<Buffer>) => unknown,
  expected: unknown,
): void {
  let count = 0
  for (const { name, chunks } of ways) {
    const found = decode(chunks)
    if (!isDeepStrictEqual(found, expected)) {
      test.strictSame(found, expected, name)
      return
    }
    count++
  }
  test.pass(`the same under ${count} chunkings`)
}

/** Whole, byte by byte, and under random splits. */
export function* chunkings(bytes: Buffer): Generator<Chunking> {
  yield { name: 'whole', chunks: [Buffer.from(bytes)] }
  yield { name: 'byte by byte', chunks: byteByByte(bytes) }
  const rounds = Math.min(60, Math.max(4, Math.floor(2_000_000 / (bytes.length + 1))))
  for (let round = 0; round < rounds; round++)
    yield {
      name: `random split, FASTCGI_TEST_SEED=${seed} round ${round}`,
      chunks: randomly(bytes, generator(seed + round)),
    }
}

/** In two, at every offset. */
export function* inTwo(bytes: Buffer): Generator<Chunking> {
  for (let at = 0; at <= bytes.length; at++)
    yield {
      name: `split at ${at}`,
      chunks: transient([bytes.subarray(0, at), bytes.subarray(at)]),
    }
}

/** Every byte on its own. */
export function byteByByte(bytes: Buffer): Iterable<Buffer> {
  return transient(each(bytes))
}

function* each(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at++) yield bytes.subarray(at, at + 1)
}

function randomly(bytes: Buffer, random: () => number): Iterable<Buffer> {
  return transient(pieces(bytes, random))
}

function* pieces(bytes: Buffer, random: () => number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    // Mostly short chunks, which cut headers, and some long ones, which hold several records.
    const most = random() < 0.7 ? 24 : bytes.length
    const length = Math.floor(random() * most)
    yield bytes.subarray(at, at + length)
    at += length
  }
}

/** Chunks whose memory is overwritten once the next is asked for: who keeps a view is found out. */
function* transient(chunks: Iterable<Buffer>): Generator<Buffer> {
  for (const chunk of chunks) {
    const copy = Buffer.from(chunk)
    yield copy
    copy.fill(0xee)
  }
}

/** Mulberry32. */
function generator(start: number): () => number {
  let state = start | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
