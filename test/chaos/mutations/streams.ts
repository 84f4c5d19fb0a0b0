/** FastCGI response streams that were right once: made and mutated by fast-check. */
import { RecordType } from '@fastcgi/protocol'
import fc from 'fast-check'
import { endRecord, record } from '../../helpers/peer-records.ts'

export interface MutatedStream {
  /** What is sent, piece by piece. */
  pieces: Buffer[]
  /** What becomes of the connection then. */
  then: 'close' | 'reset' | 'stay'
}

const GOOD_LINES = [
  'Content-Type: text/plain',
  'Set-Cookie: a=b',
  'X-Accel-Buffering: yes',
  'Link: </a.css>; rel=preload',
  'Content-Length: 3',
] as const
const ODD_LINES = [
  'Status: 200 OK',
  'Status: 404 Not Found',
  'Status: 101 Switching Protocols',
  'Status: 99999',
  'Content-Length: -1',
  'Transfer-Encoding: chunked',
  'Connection: upgrade',
  'Location: /mutated/elsewhere',
  'Location: http://[',
  'X-Sendfile: /etc/hostname',
  'X-Accel-Redirect: /mutated/again',
  'X-Content-Type-Options: nosniff',
  'X-Content-Type-Options: nosniff',
  ': no name',
  'no colon',
] as const

const PLAIN = Buffer.from('Content-Type: text/plain\r\n\r\n')

const line = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...GOOD_LINES) },
  { weight: 3, arbitrary: fc.constantFrom(...ODD_LINES) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
)
const head = fc
  .tuple(fc.array(line, { maxLength: 6 }), fc.constantFrom('\r\n', '\n'))
  .map(([lines, end]) => Buffer.from(`${lines.map((text) => text + end).join('')}${end}`, 'latin1'))
const bytes = fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array))
const id = fc.oneof(
  { weight: 60, arbitrary: fc.constant(1) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 65_535 }) },
)
const type = fc.oneof(
  { weight: 30, arbitrary: fc.constant(RecordType.STDOUT) },
  { weight: 6, arbitrary: fc.constant(RecordType.STDERR) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }) },
)
const oneRecord = fc
  .tuple(type, id, bytes)
  .map(([type, id, content]) => record(type as RecordType, content, { id }))
const end = fc
  .tuple(fc.nat({ max: 3 }), fc.constantFrom(0, 0, 0, 0, 0, 0, 1, 2, 3, 9))
  .map(([app, protocol]) => endRecord(app, protocol))

/** A response; mostly one that follows the rules. */
const stream = fc
  .tuple(
    fc.oneof({ weight: 6, arbitrary: head }, { weight: 4, arbitrary: fc.constant(PLAIN) }),
    fc.array(oneRecord, { maxLength: 5 }),
    fc.oneof(
      { weight: 9, arbitrary: end.map((one) => [one]) },
      { weight: 1, arbitrary: fc.array(end, { maxLength: 2 }) },
    ),
  )
  .map(([head, records, ends]) =>
    Buffer.concat([record(RecordType.STDOUT, head), ...records, ...ends]),
  )

const place = fc.double({ min: 0, max: 1, noNaN: true })
/** Each takes a stream and gives another one; places are shares of its length. */
const mutation = fc.oneof(
  fc.tuple(place, fc.integer({ min: 1, max: 255 })).map(([at, mask]) => (stream: Buffer) => {
    const copy = Buffer.from(stream)
    const index = Math.floor(at * (copy.length - 1))
    if (copy.length > 0) copy[index] = (copy[index] ?? 0) ^ mask
    return copy
  }),
  fc.tuple(place, place).map(([from, to]) => (stream: Buffer) => {
    const [first, last] = range(stream, from, to)
    return Buffer.concat([stream.subarray(0, first), stream.subarray(last)])
  }),
  fc.tuple(place, bytes).map(
    ([at, more]) =>
      (stream: Buffer) =>
        Buffer.concat([cut(stream, at), more, stream.subarray(cut(stream, at).length)]),
  ),
  fc.tuple(place, place).map(([from, to]) => (stream: Buffer) => {
    const [first, last] = range(stream, from, to)
    return Buffer.concat([stream.subarray(0, last), stream.subarray(first)])
  }),
  place.map((at) => (stream: Buffer) => cut(stream, at)),
)

const cut = (stream: Buffer, at: number): Buffer =>
  stream.subarray(0, Math.floor(at * stream.length))

function range(stream: Buffer, from: number, to: number): [number, number] {
  const [first, last] = [Math.min(from, to), Math.max(from, to)]
  return [Math.floor(first * stream.length), Math.floor(last * stream.length)]
}

function split(stream: Buffer, places: readonly number[]): Buffer[] {
  const points = places.map((at) => Math.floor(at * stream.length)).sort((a, b) => a - b)
  return [0, ...points].map((from, at) => stream.subarray(from, points[at] ?? stream.length))
}

const mutated: fc.Arbitrary<MutatedStream> = fc
  .tuple(
    stream,
    fc.oneof(
      fc.constant([]),
      fc.array(mutation, { minLength: 1, maxLength: 1 }),
      fc.array(mutation, { maxLength: 4 }),
    ),
    fc.array(place, { maxLength: 4 }),
    fc.constantFrom('close', 'close', 'reset', 'stay'),
  )
  .map(([stream, mutations, places, then]) => ({
    pieces: split(
      mutations.reduce<Buffer>((mutated, mutate) => mutate(mutated), stream),
      places,
    ),
    then,
  }))

/** Streams without an end, the same for the same seed. */
export function* mutatedStreams(seed: number): Generator<MutatedStream, never> {
  for (let batch = 0; ; batch++) yield* fc.sample(mutated, { seed: seed + batch, numRuns: 100 })
}
