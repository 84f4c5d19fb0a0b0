import { createHash, type Hash, randomBytes } from 'node:crypto'
import {
  ProtocolError,
  type RecordHandler,
  RecordReader,
  RecordType,
  VersionError,
} from '@fastcgi/protocol'
import t from 'tap'
import { byteByByte, chunkings, sameUnder } from './chunking.ts'

const { BEGIN_REQUEST, ABORT_REQUEST, END_REQUEST, GET_VALUES } = RecordType
const { PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES_RESULT, UNKNOWN_TYPE } = RecordType

const STREAMS: readonly number[] = [PARAMS, STDIN, STDOUT, STDERR, DATA]
const MESSAGES = [BEGIN_REQUEST, ABORT_REQUEST, END_REQUEST, GET_VALUES, GET_VALUES_RESULT]

/** A record, put together here byte by byte so that reader and writer can't be wrong the same way. */
function record(type: number, id: number, content: string | Buffer, padding = 0): Buffer {
  const bytes = Buffer.from(content)
  const [idHigh, idLow] = [id >> 8, id & 255]
  const [high, low] = [bytes.length >> 8, bytes.length & 255]
  const header = Buffer.from([1, type, idHigh, idLow, high, low, padding, 0])
  // Padding that would be read as records of version 1 when it is not skipped.
  return Buffer.concat([header, bytes, Buffer.alloc(padding, 1)])
}

/** Notes events as lines; pieces of one stream that follow each other are one line. */
class Recorder implements RecordHandler {
  readonly events: string[] = []
  #stream = ''
  #length = 0
  #hash: Hash = createHash('sha1')

  onStream(type: RecordType, requestId: number, chunk: Buffer): void {
    if (chunk.length === 0) throw new Error('a piece of a stream is never empty')
    const stream = `stream ${type} of ${requestId}`
    if (stream !== this.#stream) this.flush()
    this.#stream = stream
    this.#length += chunk.length
    this.#hash.update(chunk)
  }

  onStreamEnd(type: RecordType, requestId: number): void {
    this.flush()
    this.events.push(`end ${type} of ${requestId}`)
  }

  onMessage(type: number, requestId: number, content: Buffer): void {
    this.flush()
    this.events.push(message(type, requestId, content))
  }

  flush(): void {
    if (this.#length > 0)
      this.events.push(`${this.#stream}: ${this.#length} bytes ${this.#hash.digest('hex')}`)
    this.#stream = ''
    this.#length = 0
    this.#hash = createHash('sha1')
  }
}

function stream(type: number, requestId: number, content: string | Buffer): string {
  const bytes = Buffer.from(content)
  const digest = createHash('sha1').update(bytes).digest('hex')
  return `stream ${type} of ${requestId}: ${bytes.length} bytes ${digest}`
}

function end(type: number, requestId: number): string {
  return `end ${type} of ${requestId}`
}

function message(type: number, requestId: number, content: string | Buffer): string {
  return `message ${type} of ${requestId}: ${Buffer.from(content).toString('hex')}`
}

/** What a reader makes of the chunks: the events, and the error or whether a record ended there. */
function read(chunks: Iterable<Buffer>): string[] {
  const recorder = new Recorder()
  const reader = new RecordReader(recorder)
  let outcome: string
  try {
    for (const chunk of chunks) reader.push(chunk)
    outcome = reader.atBoundary ? 'at a boundary' : 'inside a record'
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    outcome = `${error.code}: ${error.message}`
  }
  recorder.flush()
  return [...recorder.events, outcome]
}

/** A test of one sequence of records, under every chunking. */
function reads(name: string, records: Buffer[], ...expected: string[]): void {
  t.test(name, async (t) => {
    const bytes = Buffer.concat(records)
    sameUnder(t, chunkings(bytes), read, [...expected, 'at a boundary'])
  })
}

for (const type of STREAMS) {
  reads(
    `empty record of stream ${type} ends it, with and without padding`,
    [record(type, 1, ''), record(type, 2, '', 255), record(type, 3, 'x')],
    end(type, 1),
    end(type, 2),
    stream(type, 3, 'x'),
  )
}

for (const type of MESSAGES) {
  reads(
    `message ${type}: empty, padding only, with content`,
    [record(type, 1, ''), record(type, 2, '', 255), record(type, 3, 'content', 1)],
    message(type, 1, ''),
    message(type, 2, ''),
    message(type, 3, 'content'),
  )
}

// 65535 + 255 does not fit 16 bits: the reader that adds so takes content for records (CVE-2026-55203).
const largest = randomBytes(65_535)
reads(
  'largest content with largest padding, followed by another record',
  [record(STDOUT, 1, largest, 255), record(STDERR, 1, 'after'), record(STDOUT, 1, '')],
  stream(STDOUT, 1, largest),
  stream(STDERR, 1, 'after'),
  end(STDOUT, 1),
)

reads(
  'largest message with largest padding, followed by another record',
  [record(GET_VALUES_RESULT, 0, largest, 255), record(END_REQUEST, 65_535, 'complete')],
  message(GET_VALUES_RESULT, 0, largest),
  message(END_REQUEST, 65_535, 'complete'),
)

reads(
  'END_REQUEST with padding, then a new request on the same connection',
  [
    record(STDOUT, 1, 'Status: 200\n\n', 4),
    record(STDOUT, 1, ''),
    record(END_REQUEST, 1, Buffer.from('000000ff00000000', 'hex'), 8),
    record(STDOUT, 1, 'again'),
    record(END_REQUEST, 1, Buffer.from('0000000002000000', 'hex'), 255),
  ],
  stream(STDOUT, 1, 'Status: 200\n\n'),
  end(STDOUT, 1),
  message(END_REQUEST, 1, Buffer.from('000000ff00000000', 'hex')),
  stream(STDOUT, 1, 'again'),
  message(END_REQUEST, 1, Buffer.from('0000000002000000', 'hex')),
)

const flood = randomBytes(1_048_576)
reads(
  '1 MB of STDERR before the first STDOUT',
  [
    ...Array.from({ length: 32 }, (_, part) =>
      record(STDERR, 1, flood.subarray(part * 32_768, (part + 1) * 32_768), part),
    ),
    record(STDOUT, 1, 'Status: 500\n\n'),
  ],
  stream(STDERR, 1, flood),
  stream(STDOUT, 1, 'Status: 500\n\n'),
)

reads(
  'STDERR between pieces of STDOUT, and after its end',
  [
    record(STDOUT, 1, 'Sta'),
    record(STDERR, 1, 'warning', 1),
    record(STDOUT, 1, 'tus: 200\n\n', 6),
    record(STDERR, 1, ''),
    record(STDOUT, 1, ''),
    record(STDERR, 1, 'late'),
  ],
  stream(STDOUT, 1, 'Sta'),
  stream(STDERR, 1, 'warning'),
  stream(STDOUT, 1, 'tus: 200\n\n'),
  end(STDERR, 1),
  end(STDOUT, 1),
  stream(STDERR, 1, 'late'),
)

reads(
  'streams of several requests by their ids, both bytes of them',
  [record(STDOUT, 1, 'a'), record(STDOUT, 256, 'b'), record(STDOUT, 257, 'c')],
  stream(STDOUT, 1, 'a'),
  stream(STDOUT, 256, 'b'),
  stream(STDOUT, 257, 'c'),
)

reads(
  'one stream over several records',
  [record(STDOUT, 1, 'one ', 4), record(STDOUT, 1, 'stream', 2), record(STDOUT, 1, '')],
  stream(STDOUT, 1, 'one stream'),
  end(STDOUT, 1),
)

reads(
  'records of unknown types are whole messages',
  [
    record(0, 0, 'zero'),
    record(12, 1, 'twelve', 2),
    record(255, 65_535, ''),
    record(UNKNOWN_TYPE, 0, Buffer.from('0c00000000000000', 'hex')),
    record(STDOUT, 1, 'after'),
  ],
  message(0, 0, 'zero'),
  message(12, 1, 'twelve'),
  message(255, 65_535, ''),
  message(UNKNOWN_TYPE, 0, Buffer.from('0c00000000000000', 'hex')),
  stream(STDOUT, 1, 'after'),
)

reads('no bytes at all', [])

for (const version of [0, 2, 255]) {
  t.test(`version ${version} is refused, what came before it is reported`, async (t) => {
    const wrong = record(STDOUT, 1, 'never')
    wrong[0] = version
    const bytes = Buffer.concat([record(STDOUT, 1, 'first', 3), wrong])
    sameUnder(t, chunkings(bytes), read, [
      stream(STDOUT, 1, 'first'),
      `FCGI_PROTOCOL: record of FastCGI version ${version}, expected 1`,
    ])
  })
}

t.test('atBoundary after every byte: at the start and at the ends of records only', async (t) => {
  const records = [
    record(STDOUT, 1, 'content', 3),
    record(STDOUT, 1, ''),
    record(STDERR, 1, '', 2),
    record(END_REQUEST, 1, 'complete'),
    record(12, 1, 'x', 1),
  ]
  const bytes = Buffer.concat(records)
  const ends = [0]
  for (const { length } of records) ends.push((ends.at(-1) ?? 0) + length)
  const boundary = (at: number): string => (ends.includes(at) ? 'at a boundary' : 'inside a record')
  const wanted = Array.from({ length: bytes.length + 1 }, (_, at) => boundary(at))

  const reader = new RecordReader(new Recorder())
  const stepwise = [reader.atBoundary]
  for (const byte of byteByByte(bytes)) {
    reader.push(byte)
    stepwise.push(reader.atBoundary)
  }
  t.same(
    stepwise.map((at) => (at ? 'at a boundary' : 'inside a record')),
    wanted,
    'in one reader, byte by byte',
  )
  const whole = wanted.map((_, at) => read([bytes.subarray(0, at)]).at(-1))
  t.same(whole, wanted, 'in a new reader, up to there at once')
})

t.test('content that no chunk border cuts is a view of the chunk', async (t) => {
  const chunk = Buffer.concat([record(STDOUT, 1, 'stream', 2), record(END_REQUEST, 1, 'complete')])
  const found: Buffer[] = []
  const reader = new RecordReader({
    onStream: (_type, _id, piece) => found.push(piece),
    onStreamEnd: () => t.fail('no stream ends here'),
    onMessage: (_type, _id, content) => found.push(content),
  })
  reader.push(chunk)
  t.same(found.map(String), ['stream', 'complete'])
  chunk.fill('#')
  t.same(found.map(String), ['######', '########'])
})

t.test('content of a stream is a view also where a chunk border cuts it', async (t) => {
  const bytes = record(STDIN, 1, 'stream')
  const found: Buffer[] = []
  const reader = new RecordReader({
    onStream: (_type, _id, piece) => found.push(piece),
    onStreamEnd: () => t.fail('no stream ends here'),
    onMessage: () => t.fail('no message comes here'),
  })
  reader.push(bytes.subarray(0, 10))
  t.same(found.map(String), ['st'], 'reported at once, not kept for the rest')
  reader.push(bytes.subarray(10))
  bytes.fill('#')
  t.same(found.map(String), ['##', '####'])
})

t.test('a handler that throws ends the reading', async (t) => {
  const stop = new Error('stop')
  const cases: Array<[keyof RecordHandler, Buffer]> = [
    ['onStream', record(STDOUT, 1, 'content', 1)],
    ['onStreamEnd', record(STDOUT, 1, '', 1)],
    ['onMessage', record(END_REQUEST, 1, 'complete', 1)],
    ['onMessage', record(ABORT_REQUEST, 1, '')],
  ]
  for (const [method, bytes] of cases) {
    const recorder = new Recorder()
    const reader = new RecordReader({
      onStream: (...args) => recorder.onStream(...args),
      onStreamEnd: (...args) => recorder.onStreamEnd(...args),
      onMessage: (...args) => recorder.onMessage(...args),
      [method]: () => {
        throw stop
      },
    })
    const next = record(DATA, 1, 'next')
    t.throws(() => reader.push(Buffer.concat([bytes, next])), stop, method)
    t.equal(reader.atBoundary, false, `${method}: not at a boundary`)
    t.throws(() => reader.push(next), ProtocolError, `${method}: nothing more is read`)
    recorder.flush()
    t.same(recorder.events, [], `${method}: nothing more is reported`)
  }
})

t.test('nothing is read after a wrong version', async (t) => {
  const recorder = new Recorder()
  const reader = new RecordReader(recorder)
  t.throws(() => reader.push(Buffer.alloc(8)), VersionError)
  t.throws(() => reader.push(record(STDOUT, 1, 'never')), ProtocolError)
  recorder.flush()
  t.same(recorder.events, [])
  t.equal(reader.atBoundary, false)
})
