import { ProtocolError, type ResponseHeadLimits, ResponseHeadParser } from '@fastcgi/protocol'
import t from 'tap'
import { byteByByte, chunkings, inTwo, sameUnder } from './chunking.ts'

interface Head {
  status: number
  reason: string
  headers: string[]
  body: string
}

/** What a parser makes of the chunks: the head and the body behind it, the error's message or 'incomplete'. */
function parse(chunks: Iterable<Buffer>, limits?: ResponseHeadLimits): Head | string {
  const parser = new ResponseHeadParser(limits)
  let body: string | undefined
  try {
    for (const chunk of chunks) {
      if (body !== undefined) {
        body += chunk.toString('latin1')
        continue
      }
      const start = parser.push(chunk)
      if (start !== -1) body = chunk.toString('latin1', start)
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return error.message.replace(/^response head has /, '')
  }
  if (body === undefined) return 'incomplete'
  const { status, reason, headers } = parser
  return { status, reason, headers, body }
}

/** Heads are written as latin1, a byte a character. */
function bytes(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

type Expected = [status: number, reason: string, ...headers: string[]] | string

/** A test of heads: each whole, byte by byte, cut in two at every offset, and under random splits. */
function parses(name: string, cases: Array<[head: string, expected: Expected]>): void {
  t.test(name, async (t) => {
    for (const [head, expected] of cases) {
      // A body that would be taken for more of the head, and none at all.
      for (const body of ['Status: 500\r\n\r\n \n', '']) {
        let wanted: Head | string
        if (typeof expected === 'string') wanted = expected
        else {
          const [status, reason, ...headers] = expected
          wanted = { status, reason, headers, body }
        }
        const sent = bytes(head + body)
        sameUnder(t, both(sent), parse, wanted)
      }
    }
  })
}

function* both(sent: Buffer): ReturnType<typeof inTwo> {
  yield* chunkings(sent)
  yield* inTwo(sent)
}

parses('line ends: CRLF, LF, mixed', [
  ['A: 1\r\nB: 2\r\n\r\n', [200, '', 'A', '1', 'B', '2']],
  ['A: 1\nB: 2\n\n', [200, '', 'A', '1', 'B', '2']],
  ['A: 1\r\nB: 2\n\n', [200, '', 'A', '1', 'B', '2']],
  ['A: 1\nB: 2\r\n\r\n', [200, '', 'A', '1', 'B', '2']],
  ['A: 1\nB: 2\r\n\n', [200, '', 'A', '1', 'B', '2']],
  ['A: 1\r\nB: 2\n\r\n', [200, '', 'A', '1', 'B', '2']],
])

parses('a head of only an empty line', [
  ['\r\n', [200, '']],
  ['\n', [200, '']],
])

parses('Status', [
  ['Status: 200\n\n', [200, '']],
  ['Status: 404 Not Found\n\n', [404, 'Not Found']],
  ['Status: 404\n\n', [404, '']],
  ['Status: 404 \t \n\n', [404, '']],
  ['Status: 404  Not  Found \r\n\n', [404, 'Not  Found']],
  ['Status:\t404\tNot Found\n\n', [404, 'Not Found']],
  ['Status:404\n\n', [404, '']],
  ['sTaTuS: 100\n\n', [100, '']],
  ['STATUS: 999 Odd\n\n', [999, 'Odd']],
  ['Status: 404 Fran\xe7ais \xa0\n\n', [404, 'Fran\xe7ais \xa0']],
  ['A: 1\nStatus: 201\nB: 2\n\n', [201, '', 'A', '1', 'B', '2']],
  ['Status: 404\n Not\n Found\n\n', [404, 'Not Found']],
  ['Status: 404 Not Found\nStatus: 500\n\n', [404, 'Not Found']],
  ['Status: 404\nStatus: 500 Server Error\n\n', [404, '']],
  ['Statu: 404\nX-Status: 500\n\n', [200, '', 'Statu', '404', 'X-Status', '500']],
])

const badStatus = [
  '',
  '99',
  '1000',
  'abc',
  '0200',
  '099',
  '000',
  '20',
  '2OO',
  '200OK',
  '+200',
  '-200',
]
parses(
  'Status that is not three digits',
  badStatus.map((value) => [`Status: ${value}\n\n`, `a Status that is not three digits: ${value}`]),
)

parses('Status that is blank, or too long to be shown', [
  ['Status:\n\n', 'a Status that is not three digits: '],
  ['Status: \t\r\n\r\n', 'a Status that is not three digits: '],
  [`Status: ${'x'.repeat(70)}\n\n`, `a Status that is not three digits: ${'x'.repeat(64)}`],
])

parses('the status line of a script that sends its own head (NPH)', [
  ['HTTP/1.1 404 Nope\r\nA: 1\r\n\r\n', [404, 'Nope', 'A', '1']],
  ['HTTP/1.1 404 Nope\nStatus: 410 Gone\n\n', [410, 'Gone']],
  ['HTTP/1.1 404 Nope\nStatus: 410\nStatus: 500\n\n', [410, '']],
  ['HTTP/1.0 200 OK: fine\n\n', [200, 'OK: fine']],
  ['HTTP/2 200\n\n', [200, '']],
  ['HTTP/2 200 \n\n', [200, '']],
  ['HTTP/1.1 200 \xa0\n\n', [200, '\xa0']],
  ['HTTP/1.1 200 OK\nLocation: /there\n\n', [200, 'OK', 'Location', '/there']],
])

parses('a status line that is none', [
  ['HTTP/1.1 99 Nope\n\n', 'a line without a colon: "HTTP/1.1 99 Nope"'],
  ['HTTP/1.1 2000 Nope\n\n', 'a line without a colon: "HTTP/1.1 2000 Nope"'],
  ['HTTP/1.1\n\n', 'a line without a colon: "HTTP/1.1"'],
  ['HTTP/1.1 abc: x\n\n', 'a field name that is no token: "HTTP/1.1 abc"'],
  ['A: 1\nHTTP/1.1 200 OK\n\n', 'a line without a colon: "HTTP/1.1 200 OK"'],
  ['HTTP/1.1 200 O\x07K\n\n', 'a control character in the value of the status line'],
  ['HTTP/1.1 200 OK\n folded\n\n', 'a line without a colon: "HTTP/1.1 200 OK\\n folded"'],
])

parses('Location without Status is a redirect', [
  ['Location: http://localhost/\n\n', [302, '', 'Location', 'http://localhost/']],
  ['Location: /local\r\n\r\n', [302, '', 'Location', '/local']],
  ['lOCATION: relative\n\n', [302, '', 'lOCATION', 'relative']],
  ['Status: 201 Created\nLocation: /a\n\n', [201, 'Created', 'Location', '/a']],
  ['Location: /a\nStatus: 200\n\n', [200, '', 'Location', '/a']],
  ['Content-Location: /a\n\n', [200, '', 'Content-Location', '/a']],
])

parses('order, case and duplicates stay', [
  [
    'Set-Cookie: a=1\nX-Other: x\nset-cookie: b=2\nSet-Cookie: a=1\n\n',
    [200, '', 'Set-Cookie', 'a=1', 'X-Other', 'x', 'set-cookie', 'b=2', 'Set-Cookie', 'a=1'],
  ],
])

parses('values: blanks around them go, those inside and colons stay', [
  [
    'A:1\nB: \t2 \t\nC:\nD: \nE: a b\tc  d\n\n',
    [200, '', 'A', '1', 'B', '2', 'C', '', 'D', '', 'E', 'a b\tc  d'],
  ],
  ['A: b: c::d\n\n', [200, '', 'A', 'b: c::d']],
])

parses('folded lines are joined by a space', [
  ['A: 1\r\n 2\r\n\r\n', [200, '', 'A', '1 2']],
  ['A: 1\n\t2\nB: 3\n\n', [200, '', 'A', '1 2', 'B', '3']],
  ['A: 1 \t\r\n \t 2\n  3\r\n\r\n', [200, '', 'A', '1 2 3']],
  ['A:\r\n 2\r\n\r\n', [200, '', 'A', '2']],
  ['A: 1\n 2 \t\n\n', [200, '', 'A', '1 2']],
  ['A: 1\r\n \r\n\r\n', [200, '', 'A', '1']],
  ['A: 1\n \nB: 2\n\n', [200, '', 'A', '1', 'B', '2']],
  ['A: 1\n \n 2\n\n', [200, '', 'A', '1  2']],
  ['A: 1\n B: 2\n\n', [200, '', 'A', '1 B: 2']],
  ['A: 1\n \xa02\xa0\n\n', [200, '', 'A', '1 \xa02\xa0']],
  ['A: 1\n 2\x00\n\n', 'a control character in the value of A'],
  ['A: 1\r\r\n 2\n\n', 'a control character in the value of A'],
  [' A: 1\n\n', 'a field name that is no token: " A"'],
  ['A\n : 1\n\n', 'a field name that is no token: "A\\n "'],
])

parses('lines that are no fields', [
  ['no colon\n\n', 'a line without a colon: "no colon"'],
  ['<!DOCTYPE html>\n<html>\n\n', 'a line without a colon: "<!DOCTYPE html>"'],
  ['A: 1\nno colon\r\n\r\n', 'a line without a colon: "no colon"'],
  [`A: 1\n${'x'.repeat(70)}\n\n`, `a line without a colon: "${'x'.repeat(64)}"`],
  [': 1\n\n', 'a field name that is no token: ""'],
  ['A : 1\n\n', 'a field name that is no token: "A "'],
  ['A B: 1\n\n', 'a field name that is no token: "A B"'],
  ['\xc4: 1\n\n', 'a field name that is no token: "\xc4"'],
  ['\rA: 1\n\n', 'a field name that is no token: "\\rA"'],
])

parses('8-bit values stay as they are, also at the end', [
  ['A: caf\xc3\xa9\n\n', [200, '', 'A', 'caf\xc3\xa9']],
  ['A: \xc3\xa0\n\n', [200, '', 'A', '\xc3\xa0']],
  ['A: \xa0\xa0\r\nB: \x85\n\n', [200, '', 'A', '\xa0\xa0', 'B', '\x85']],
])

t.test('every byte in a name', async (t) => {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  const token = `!#$%&'*+-.^_\`|~0123456789${letters}`
  for (let byte = 0; byte < 256; byte++) {
    const character = String.fromCharCode(byte)
    if (character === ':' || character === '\n') continue
    const found = parse([bytes(`A${character}B: 1\n\n`)])
    const accepted = typeof found === 'object' && found.headers[0] === `A${character}B`
    t.equal(accepted, token.includes(character), `byte ${byte}`)
  }
})

t.test('every byte in a value', async (t) => {
  for (let byte = 0; byte < 256; byte++) {
    const character = String.fromCharCode(byte)
    if (character === '\n') continue
    const control = (byte < 32 && character !== '\t') || byte === 127
    sameUnder(
      t,
      chunkings(bytes(`A: x${character}y\n\n`)),
      parse,
      control
        ? 'a control character in the value of A'
        : { status: 200, reason: '', headers: ['A', `x${character}y`], body: '' },
    )
  }
})

parses('Content-Length', [
  ['Content-Length: 12\n\n', [200, '', 'Content-Length', '12']],
  ['content-length:  0 \n\n', [200, '', 'content-length', '0']],
  ['Content-Length: 999999999999999\n\n', [200, '', 'Content-Length', '999999999999999']],
  ['Content-Length: 1\nContent-Length: 1\n\n', [200, '', 'Content-Length', '1']],
  ['Content-Length: 7\nA: 1\ncontent-length: 7\n\n', [200, '', 'Content-Length', '7', 'A', '1']],
  ['Content-Length:\nA: 1\n\n', [200, '', 'A', '1']],
  ['Content-Length: \nContent-Length: 7\n\n', [200, '', 'Content-Length', '7']],
  ['Content-Length: 1\nA: 1\ncONTENT-lENGTH: 2\n\n', 'more than one Content-Length'],
  ...['+5', '-1', '1e3', '0x10', '1.0', '1,1', '1 1', 'abc', '1000000000000000', '\xb2'].map(
    (value): [string, string] => [
      `Content-Length: ${value}\n\n`,
      `a Content-Length that is no number: ${value}`,
    ],
  ),
  ['Content-Length: 1\n 2\n\n', 'a Content-Length that is no number: 1 2'],
])

function overBytes(most: number): string {
  return `response head is over ${most} bytes (option maxHeadSize); is the application printing a body without a head?`
}

t.test('most bytes of a head, its empty line included and its body not', async (t) => {
  for (const head of ['A: 1\r\nB: 2\r\n\r\n', 'A: 1\n\n', 'A: 1\n 2\n\r\n', '\n']) {
    const whole = { body: 'x'.repeat(20) }
    const exact = { maxBytes: head.length }
    const less = { maxBytes: head.length - 1 }
    for (const { name, chunks } of both(bytes(head + whole.body)))
      t.match(parse(chunks, exact), whole, `${JSON.stringify(head)} fits, ${name}`)
    sameUnder(
      t,
      both(bytes(head + whole.body)),
      (chunks) => parse(chunks, less),
      overBytes(head.length - 1),
    )
  }
})

t.test('65536 bytes by default', async (t) => {
  const exact = `A: ${'x'.repeat(65_536 - 5)}\n\n`
  t.equal(exact.length, 65_536)
  t.match(parse([bytes(exact)]), { status: 200, body: '' })
  t.match(parse(byteByByte(bytes(exact))), { status: 200, body: '' })
  const over = `A: ${'x'.repeat(65_536 - 4)}\n\n`
  t.equal(parse([bytes(over)]), overBytes(65_536))
  t.equal(parse(byteByByte(bytes(over))), overBytes(65_536))
})

t.test('a head without an end is refused as soon as it is over the limit', async (t) => {
  for (const endless of ['x'.repeat(100), 'A: 1\n'.repeat(20), `A: 1\n${' x\n'.repeat(40)}`]) {
    sameUnder(
      t,
      chunkings(bytes(endless)),
      (chunks) => parse(chunks, { maxBytes: 64 }),
      overBytes(64),
    )
    const text = bytes(endless)
    t.equal(parse(byteByByte(text.subarray(0, 64)), { maxBytes: 64 }), 'incomplete')
    t.equal(parse(byteByByte(text.subarray(0, 65)), { maxBytes: 64 }), overBytes(64))
  }
})

t.test('most fields of a head, Status and the status line not counted', async (t) => {
  const fields = (count: number): string => 'A: 1\n'.repeat(count)
  const first = 'HTTP/1.1 200 OK\nStatus: 404\n'
  t.match(parse([bytes(`${first}${fields(256)}\n`)]), { status: 404, body: '' })
  t.equal(parse([bytes(`${first}${fields(257)}\n`)]), 'over 256 fields')
  t.match(parse([bytes(`${fields(2)}Status: 404\n\n`)], { maxFields: 2 }), { status: 404 })
  t.equal(parse(byteByByte(bytes(`${fields(3)}\n`)), { maxFields: 2 }), 'over 2 fields')
  t.equal(parse([bytes('A: 1\n\n')], { maxFields: 0 }), 'over 0 fields')
})

t.test('a head of 36 KB', async (t) => {
  const headers: string[] = []
  for (let field = 0; field < 36; field++) headers.push(`X-Field-${field}`, 'v'.repeat(1000))
  let head = 'Status: 200 OK\r\n'
  for (let at = 0; at < headers.length; at += 2) head += `${headers[at]}: ${headers[at + 1]}\r\n`
  t.ok(head.length > 36_000)
  sameUnder(t, chunkings(bytes(`${head}\r\nbody`)), parse, {
    status: 200,
    reason: 'OK',
    headers,
    body: 'body',
  })
})

t.test('where the body begins', async (t) => {
  const parser = new ResponseHeadParser()
  t.equal(parser.push(bytes('A: 1\r\n')), -1)
  t.equal(parser.push(bytes('')), -1)
  t.equal(parser.push(bytes('\r')), -1)
  t.equal(parser.push(bytes('\nbody')), 1, 'counted in the last chunk, not from the start')
  t.equal(new ResponseHeadParser().push(bytes('A: 1\n\nbody')), 6)
  t.equal(new ResponseHeadParser().push(bytes('A: 1\n\n')), 6, 'the body begins in a later chunk')
})

t.test('untouched until the first byte', async (t) => {
  const parser = new ResponseHeadParser()
  t.equal(parser.untouched, true)
  parser.push(bytes(''))
  t.equal(parser.untouched, true, 'an empty chunk is nothing')
  parser.push(bytes('A'))
  t.equal(parser.untouched, false)
  const whole = new ResponseHeadParser()
  whole.push(bytes('\n'))
  t.equal(whole.untouched, false)
})

t.test('the shortest head is incomplete until its last byte', async (t) => {
  for (const head of ['Status: 204\r\n\r\n', 'A: 1\n\n', 'A: 1\n 2\n\n', '\r\n']) {
    for (let length = 0; length < head.length; length++) {
      t.equal(parse([bytes(head.slice(0, length))]), 'incomplete', `${length} bytes`)
      t.equal(parse(byteByByte(bytes(head.slice(0, length)))), 'incomplete', `${length} bytes`)
    }
  }
})

// What costs the square of the head's length lets an application hold up all others. These take
// milliseconds; with a quadratic parser they run into the time limit of the test.
t.test('the time to parse grows with the length only', async (t) => {
  const limits = { maxBytes: 8_000_000 }
  const fits = { status: 200, body: '' }
  t.match(parse(byteByByte(bytes(`A: ${'x'.repeat(64_000)}\n\n`))), fits, 'byte by byte')
  t.match(parse(byteByByte(bytes(`A: ${'x'.repeat(1_000_000)}\n\n`)), limits), fits, 'one line')
  t.match(parse(byteByByte(bytes(`A:${'\n x'.repeat(300_000)}\n\n`)), limits), fits, 'many folds')
  const blanks = ' '.repeat(1_000_000)
  t.match(parse([bytes(`A: x${blanks}x\n${blanks}x\n\n`)], limits), fits, 'blanks and a fold')
  t.match(parse([bytes(`Status: 200${blanks}x\n\n`)], limits), fits, 'blanks in Status')
  t.match(parse([bytes(`HTTP/1.1 200 ${blanks}x\n\n`)], limits), fits, 'blanks in the status line')
})
