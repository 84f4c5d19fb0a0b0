import {
  decodeNameValues,
  encodeAbortRequest,
  encodeEndRequest,
  encodeGetValues,
  encodeNameValues,
  encodeRecord,
  encodeRecordHeader,
  encodeRequestHead,
  HEADER_LENGTH,
  KEEP_CONN,
  MAX_PARAMS_LENGTH,
  ParamsTooLargeError,
  ProtocolStatus,
  RecordReader,
  RecordType,
  type RequestHead,
  Role,
  writeRecordHeader,
} from '@fastcgi/protocol'
import t from 'tap'

// Every buffer comes with old content, as those from a pool may: what is not written shows.
const { allocUnsafe, allocUnsafeSlow } = Buffer
Buffer.allocUnsafe = (size) => allocUnsafe(size).fill(0xdb)
Buffer.allocUnsafeSlow = (size) => allocUnsafeSlow(size).fill(0xdb)
t.teardown(() => Object.assign(Buffer, { allocUnsafe, allocUnsafeSlow }))

function head(parts: Partial<RequestHead>): Buffer {
  return encodeRequestHead({
    requestId: 1,
    role: Role.RESPONDER,
    keepConnection: false,
    params: Buffer.alloc(0),
    endStdin: false,
    ...parts,
  })
}

/** Spaces are for the reader of this file. */
function hex(text: string): string {
  return text.replaceAll(' ', '')
}

interface RecordParts {
  type: number
  requestId: number
  content: Buffer
  padding: Buffer
}

/** Cuts bytes into records on its own, without RecordReader. */
function records(bytes: Buffer): RecordParts[] {
  const found: RecordParts[] = []
  for (let at = 0; at < bytes.length; ) {
    const start = at + HEADER_LENGTH
    const end = start + bytes.readUInt16BE(at + 4)
    const next = end + bytes.readUInt8(at + 6)
    const content = bytes.subarray(start, end)
    const padding = bytes.subarray(end, next)
    found.push({
      type: bytes.readUInt8(at + 1),
      requestId: bytes.readUInt16BE(at + 2),
      content,
      padding,
    })
    at = next
  }
  return found
}

t.test('BEGIN_REQUEST for each role, keeping the connection or not', async (t) => {
  const emptyParams = '01 04 0001 0000 00 00'
  const cases: Array<[Role, boolean, string]> = [
    [Role.RESPONDER, false, '01 01 0001 0008 00 00  0001 00 0000000000'],
    [Role.RESPONDER, true, '01 01 0001 0008 00 00  0001 01 0000000000'],
    [Role.AUTHORIZER, false, '01 01 0001 0008 00 00  0002 00 0000000000'],
    [Role.AUTHORIZER, true, '01 01 0001 0008 00 00  0002 01 0000000000'],
    [Role.FILTER, false, '01 01 0001 0008 00 00  0003 00 0000000000'],
    [Role.FILTER, true, '01 01 0001 0008 00 00  0003 01 0000000000'],
  ]
  for (const [role, keepConnection, expected] of cases)
    t.equal(head({ role, keepConnection }).toString('hex'), hex(expected + emptyParams))
})

t.test('ABORT_REQUEST', async (t) => {
  t.equal(encodeAbortRequest(0x1234).toString('hex'), hex('01 02 1234 0000 00 00'))
})

t.test('END_REQUEST', async (t) => {
  const { REQUEST_COMPLETE, CANT_MPX_CONN, OVERLOADED, UNKNOWN_ROLE } = ProtocolStatus
  const cases: Array<[number, ProtocolStatus, string]> = [
    [0, REQUEST_COMPLETE, '01 03 0001 0008 00 00  00000000 00 000000'],
    [0x01020304, CANT_MPX_CONN, '01 03 0001 0008 00 00  01020304 01 000000'],
    [0xffffffff, OVERLOADED, '01 03 0001 0008 00 00  ffffffff 02 000000'],
    [-1, UNKNOWN_ROLE, '01 03 0001 0008 00 00  ffffffff 03 000000'],
  ]
  for (const [appStatus, protocolStatus, expected] of cases)
    t.equal(encodeEndRequest(1, appStatus, protocolStatus).toString('hex'), hex(expected))
})

t.test('GET_VALUES has id 0 and names with empty values', async (t) => {
  t.equal(encodeGetValues([]).toString('hex'), hex('01 09 0000 0000 00 00'))
  t.equal(
    encodeGetValues(['MAX', 'A']).toString('hex'),
    hex('01 09 0000 0008 00 00  03 00 4d4158 01 00 41'),
  )
  t.equal(
    encodeGetValues(['FCGI_MAX_CONNS']).toString('hex'),
    hex('01 09 0000 0010 00 00  0e 00 464347495f4d41585f434f4e4e53'),
  )
})

t.test('a record is padded with zeros to a multiple of 8', async (t) => {
  const { STDIN, DATA } = RecordType
  const cases: Array<[RecordType, string, string]> = [
    [STDIN, '', '01 05 0001 0000 00 00'],
    [STDIN, 'a', '01 05 0001 0001 07 00  61 00000000000000'],
    [STDIN, 'abcdefg', '01 05 0001 0007 01 00  61626364656667 00'],
    [STDIN, 'abcdefgh', '01 05 0001 0008 00 00  6162636465666768'],
    [DATA, 'abcdefghi', '01 08 0001 0009 07 00  616263646566676869 00000000000000'],
  ]
  for (const [type, content, expected] of cases)
    t.equal(encodeRecord(type, 1, Buffer.from(content)).toString('hex'), hex(expected))
  t.equal(encodeRecord(STDIN, 1).toString('hex'), hex('01 05 0001 0000 00 00'), 'no content')
})

t.test('a header on its own announces no padding', async (t) => {
  t.equal(
    encodeRecordHeader(RecordType.STDIN, 0xfffe, 0xfffd).toString('hex'),
    hex('01 05 fffe fffd 00 00'),
  )
})

t.test('a header is written at its offset and says where the content begins', async (t) => {
  const target = Buffer.alloc(12, 0xdb)
  t.equal(writeRecordHeader(target, 2, RecordType.STDOUT, 258, 772, 255), 10)
  t.equal(target.toString('hex'), hex('dbdb 01 06 0102 0304 ff 00 dbdb'))
})

t.test('lengths and ids that do not fit are refused, never wrapped', async (t) => {
  const write = (id: number, content: number, padding: number): (() => number) => {
    return () => writeRecordHeader(Buffer.alloc(8), 0, RecordType.STDIN, id, content, padding)
  }
  t.equal(write(65_535, 65_535, 255)(), 8, 'the largest of each fit')
  t.equal(write(0, 0, 0)(), 8, 'the least of each fit')
  for (const wrong of [65_536, 131_072, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    const got = `got ${wrong}`
    t.throws(write(1, wrong, 0), new RangeError(`record contentLength must be 0 to 65535, ${got}`))
    t.throws(write(wrong, 0, 0), new RangeError(`record requestId must be 0 to 65535, ${got}`))
  }
  for (const wrong of [256, -1, 1.5, Number.NaN])
    t.throws(
      write(1, 0, wrong),
      new RangeError(`record paddingLength must be 0 to 255, got ${wrong}`),
    )
  const { STDIN } = RecordType
  t.equal(encodeRecord(STDIN, 1, Buffer.alloc(65_535)).length, 8 + 65_535 + 1)
  t.throws(() => encodeRecord(STDIN, 1, Buffer.alloc(65_536)), RangeError)
  t.throws(() => encodeRecordHeader(STDIN, 1, 65_536), RangeError)
  t.equal(head({ stdin: Buffer.alloc(65_535) }).length, 16 + 8 + 8 + 65_535 + 1)
  t.throws(() => head({ stdin: Buffer.alloc(65_536) }), RangeError)
  t.throws(() => head({ requestId: 65_536 }), RangeError)
  t.throws(() => encodeAbortRequest(65_536), RangeError)
  t.throws(() => encodeEndRequest(65_536, 0, 0), RangeError)
  t.throws(() => encodeGetValues(['x'.repeat(40_000), 'y'.repeat(30_000)]), RangeError)
})

t.test('a request head is BEGIN, PARAMS, its end, STDIN and its end in one buffer', async (t) => {
  const begin = '01 01 0102 0008 00 00  0001 01 0000000000'
  const params = '01 04 0102 0004 04 00  01 01 41 42 00000000'
  const paramsEnd = '01 04 0102 0000 00 00'
  const stdin = '01 05 0102 0003 05 00  78797a 0000000000'
  const stdinEnd = '01 05 0102 0000 00 00'
  const cases: Array<[string, string | undefined, boolean, string[]]> = [
    ['', undefined, false, [begin, paramsEnd]],
    ['', undefined, true, [begin, paramsEnd, stdinEnd]],
    ['', '', true, [begin, paramsEnd, stdinEnd]],
    ['', '', false, [begin, paramsEnd]],
    ['\x01\x01AB', undefined, false, [begin, params, paramsEnd]],
    ['\x01\x01AB', undefined, true, [begin, params, paramsEnd, stdinEnd]],
    ['\x01\x01AB', 'xyz', false, [begin, params, paramsEnd, stdin]],
    ['\x01\x01AB', 'xyz', true, [begin, params, paramsEnd, stdin, stdinEnd]],
  ]
  for (const [block, body, endStdin, expected] of cases) {
    const found = head({
      requestId: 0x0102,
      keepConnection: true,
      params: Buffer.from(block),
      stdin: body === undefined ? undefined : Buffer.from(body),
      endStdin,
    })
    t.equal(found.toString('hex'), hex(expected.join('')))
  }
})

/** Pairs whose block is `length` bytes long: long values, then one that fills up. */
function pairsOf(length: number): Array<[string, string]> {
  const pairs: Array<[string, string]> = []
  for (let left = length; left > 0; ) {
    // A pair takes 5 + 3 bytes besides its value; the last one gets what 10,000 leave over.
    const take = left < 20_000 ? left : 10_000
    pairs.push([`P${String(pairs.length).padStart(2, '0')}`, 'v'.repeat(take - 8)])
    left -= take
  }
  return pairs
}

t.test('PARAMS are cut into records at borders of pairs', async (t) => {
  const cases: Array<[number, number]> = [
    [9_000, 1],
    [MAX_PARAMS_LENGTH, 1],
    [MAX_PARAMS_LENGTH + 1, 2],
    [65_535, 2],
    [65_536, 2],
    [200_000, 4],
  ]
  for (const [length, count] of cases) {
    const pairs = pairsOf(length)
    const params = encodeNameValues(pairs)
    t.equal(params.length, length, `${length} bytes of params`)
    const found = records(head({ params, endStdin: true }))
    const cut = found.slice(1, -2)
    t.same(
      found.map(({ type }) => type),
      [RecordType.BEGIN_REQUEST, ...cut.map(() => RecordType.PARAMS), 4, 5],
    )
    t.equal(cut.length, count, `${count} records`)
    t.equal(found.at(-2)?.content.length, 0, 'an empty record ends PARAMS')
    t.equal(found.at(-1)?.content.length, 0, 'an empty record ends STDIN')
    t.same(
      cut.flatMap(({ content }) => decodeNameValues(content)),
      pairs,
      'every record holds whole pairs',
    )
    for (const { content, padding } of cut) {
      // php-fpm drops the connection otherwise.
      t.ok(content.length + padding.length <= 65_535, 'content and padding fit 16 bits')
      t.equal((content.length + padding.length) % 8, 0, 'padded to a multiple of 8')
      t.same(padding, Buffer.alloc(padding.length), 'padding is zero')
    }
  }
})

t.test('a record of PARAMS is filled up to its last byte', async (t) => {
  const first = encodeNameValues(pairsOf(MAX_PARAMS_LENGTH))
  const params = Buffer.concat([first, encodeNameValues([['A', 'B']])])
  const lengths = records(head({ params })).map(({ content }) => content.length)
  t.same(lengths, [8, MAX_PARAMS_LENGTH, 4, 0])
})

t.test('a pair over the size of a record is refused, first or later', async (t) => {
  // encodeNameValues refuses such a pair, so it is put together here: 1 + 4 + 1 bytes and the value.
  const large = Buffer.concat([
    Buffer.from('01 8000fff3 41'.replaceAll(' ', ''), 'hex'),
    Buffer.alloc(0xfff3),
  ])
  t.equal(large.length, MAX_PARAMS_LENGTH + 1)
  const small = encodeNameValues([['A', 'B']])
  t.throws(() => head({ params: large }), ParamsTooLargeError)
  t.throws(() => head({ params: Buffer.concat([small, large]) }), ParamsTooLargeError)
})

t.test('what is written is read again', async (t) => {
  const pairs = pairsOf(150_000)
  const stdin = Buffer.from('name=value')
  const bytes = Buffer.concat([
    encodeGetValues(['FCGI_MPXS_CONNS']),
    head({ requestId: 7, keepConnection: true, params: encodeNameValues(pairs), stdin }),
    encodeRecord(RecordType.STDIN, 7, Buffer.from('&more')),
    encodeRecord(RecordType.STDIN, 7),
    encodeAbortRequest(7),
    encodeEndRequest(7, 3, ProtocolStatus.OVERLOADED),
  ])
  const streams = new Map<number, Buffer[]>()
  const events: Array<[string, number, number]> = []
  const reader = new RecordReader({
    onStream: (type, id, chunk) => {
      const pieces = streams.get(type)
      if (pieces !== undefined) pieces.push(chunk)
      else {
        streams.set(type, [chunk])
        events.push(['stream', type, id])
      }
    },
    onStreamEnd: (type, id) => events.push(['end', type, id]),
    onMessage: (type, id, content) => events.push([content.toString('hex'), type, id]),
  })
  reader.push(bytes)
  t.equal(reader.atBoundary, true)
  t.same(events, [
    ['0f00464347495f4d5058535f434f4e4e53', RecordType.GET_VALUES, 0],
    [`0001${KEEP_CONN.toString().padStart(2, '0')}0000000000`, RecordType.BEGIN_REQUEST, 7],
    ['stream', RecordType.PARAMS, 7],
    ['end', RecordType.PARAMS, 7],
    ['stream', RecordType.STDIN, 7],
    ['end', RecordType.STDIN, 7],
    ['', RecordType.ABORT_REQUEST, 7],
    ['0000000302000000', RecordType.END_REQUEST, 7],
  ])
  t.same(decodeNameValues(Buffer.concat(streams.get(RecordType.PARAMS) ?? [])), pairs)
  t.equal(String(Buffer.concat(streams.get(RecordType.STDIN) ?? [])), 'name=value&more')
})
