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

t.test('the sum is capped, and a line says so, wherever the cuts are', (t) => {
  same(t, '12345\n67890\nabc', ['12345', '6789', '(more on stderr; dropped)'], 10)
  same(t, '12345\n789', ['12345', '789'], 9)
  same(t, '12345\n789\nmore', ['12345', '789', '(more on stderr; dropped)'], 10)
  same(t, '0123456789more', ['0123456789', '(more on stderr; dropped)'], 10)
  t.end()
})

t.test('it says so once', (t) => {
  const more = Array.from({ length: 50 }, () => Buffer.from('0123456789\n'))
  t.equal(lines(more, 100).filter((line) => line.includes('dropped')).length, 1)
  t.end()
})

t.test('a line is capped, too; the next one is whole', (t) => {
  for (const size of [8192, 8193, 20_000]) {
    const [long, next, ...rest] = lines([Buffer.from(`${'x'.repeat(size)}\nnext\n`)])
    t.equal(long?.length, 8192)
    t.strictSame([next, rest], ['next', []])
  }
  t.end()
})

t.test('a flood takes little memory', (t) => {
  const piece = Buffer.alloc(65_535, 'x')
  const found = lines(Array.from({ length: 200 }, () => piece))
  t.ok(found.join('').length < 70_000)
  t.end()
})
