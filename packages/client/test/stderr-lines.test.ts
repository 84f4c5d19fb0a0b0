import { escapeControls } from '@fastcgi/client/internal'
import t from 'tap'
import { StderrLines } from './internals.ts'

function lines(chunks: Iterable<Buffer>, cap?: number): string[] {
  const found: string[] = []
  const stderr = new StderrLines((line) => found.push(line), cap)
  for (const chunk of chunks) {
    const copy = Buffer.from(chunk)
    stderr.push(copy)
    // What was pushed is a view of a buffer that is read into again.
    copy.fill(0x21)
  }
  stderr.end()
  return found
}

/** The same lines for the text whole, byte by byte and in two at every place. */
function same(t: Tap, text: string, expected: string[], cap?: number): void {
  const bytes = Buffer.from(text)
  t.strictSame(lines([bytes], cap), expected, 'whole')
  t.strictSame(
    lines(
      Array.from(bytes, (byte) => Buffer.from([byte])),
      cap,
    ),
    expected,
    'bytes',
  )
  for (let at = 0; at <= bytes.length; at++) {
    const found = lines([bytes.subarray(0, at), bytes.subarray(at)], cap)
    if (JSON.stringify(found) !== JSON.stringify(expected))
      t.strictSame(found, expected, `in two at ${at}`)
  }
}

type Tap = Pick<typeof t, 'strictSame'>

t.test('lines are what line ends make of them', (t) => {
  same(t, 'one\ntwo\r\nthree', ['one', 'two', 'three'])
  same(t, '\n\none\n\n\ntwo\n\n', ['one', 'two'])
  same(t, '  indented  \n', ['  indented'])
  same(t, '', [])
  same(t, 'grün 😀\n€', ['grün 😀', '€'])
  t.end()
})

t.test('control characters are escaped: a line of a log stays one line', (t) => {
  same(t, 'a\rb\u001b[31mc\u0000\n', ['a\\x0db\\x1b[31mc\\x00'])
  same(t, 'tab\tstays', ['tab\tstays'])
  same(t, 'next\u0085line\u2028separator\u2029x\u007f', [
    'next\\x85line\\u2028separator\\u2029x\\x7f',
  ])
  t.equal(escapeControls('a\nb'), 'a\\x0ab')
  t.equal(escapeControls('harmless äöü'), 'harmless äöü')
  t.end()
})

t.test('messages that php-fpm joins are lines of their own', (t) => {
  same(t, 'PHP message: a; PHP message: b\nc; PHP message: d', [
    'PHP message: a',
    'PHP message: b',
    'c',
    'PHP message: d',
  ])
  same(t, '; PHP message: a; PHP messag', ['PHP message: a; PHP messag'])
  t.end()
})

t.test('of a flood the first and the last lines survive, and a line says what does not', (t) => {
  const flood = Array.from({ length: 9 }, (_, at) => `line ${at}`)
  const expected = ['line 0', 'line 1', 'line 2', '(5 lines of stderr left out here)', 'line 8']
  same(t, flood.join('\n'), expected, 28)
  same(t, `${flood.join('\n')}\n`, expected, 28)
  same(t, '12345\n789', ['12345', '789'], 14)
  const many = Array.from({ length: 5000 }, (_, at) => `PHP Deprecated: number ${at}`)
  const found = lines([Buffer.from([...many, 'PHP Fatal error: the last'].join('\n'))])
  t.equal(found.at(-1), 'PHP Fatal error: the last')
  const omitted = found.findIndex((line) => line.endsWith('lines of stderr left out here)'))
  const count = Number.parseInt(found[omitted]?.slice(1) ?? '', 10)
  t.equal(count + found.length - 1, many.length + 1, 'none is missing from the count')
  t.equal(found[omitted - 1], many[omitted - 1], 'the first lines are consecutive')
  t.ok(found.join('\n').length < 70_000)
  t.end()
})

t.test('a line is cut, says so, and the next one is whole', (t) => {
  for (const size of [8192, 8193, 8200, 20_000])
    for (const next of ['\nPHP message: next\n', '; PHP message: next\n']) {
      const bytes = Buffer.from('x'.repeat(size) + next)
      const cut = size > 8192 ? ` (${size - 8192} bytes left out)` : ''
      const expected = ['x'.repeat(8192) + cut, 'PHP message: next']
      t.strictSame(lines([bytes]), expected)
      for (const at of [8185, 8192, 8195, 8199, 8203, size, size + 3])
        t.strictSame(lines([bytes.subarray(0, at), bytes.subarray(at)]), expected, `at ${at}`)
    }
  t.end()
})

t.test('a flood takes little memory', (t) => {
  const piece = Buffer.alloc(65_535, 'x')
  const found = lines(Array.from({ length: 200 }, () => piece))
  t.match(found, [/x{8192} \(\d+ bytes left out\)$/])
  t.end()
})
