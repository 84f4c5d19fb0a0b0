/**
 * Measures the codec and the encoding of params in isolation: time and bytes allocated per operation, compared with a plain
 * copy of the same bytes. Needs --expose-gc and a young generation that holds a whole batch, which main.ts sets.
 */
import { parseArgs } from 'node:util'
import {
  decodeNameValues,
  encodeNameValues,
  encodeRequestHead,
  RecordReader,
  ResponseHeadParser,
  Role,
} from '@fastcgi/protocol'
import { report } from '../lib/results.ts'
import { median, rounded } from '../lib/statistics.ts'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '9' }, batch: { type: 'string', default: '2000' } },
})
const batch = Number(values.batch)
// Results are kept here, so that the compiler cannot eliminate the operation as dead code.
let kept: unknown

/** A typical request of a browser and response of php-fpm. */
const PAIRS: Array<[string, string]> = [
  ['SCRIPT_FILENAME', '/var/www/site/index.php'],
  ['SCRIPT_NAME', '/index.php'],
  ['DOCUMENT_ROOT', '/var/www/site'],
  ['REQUEST_METHOD', 'GET'],
  ['REQUEST_URI', '/index.php?q=1'],
  ['QUERY_STRING', 'q=1'],
  ['SERVER_PROTOCOL', 'HTTP/1.1'],
  ['REMOTE_ADDR', '127.0.0.1'],
  ['SERVER_NAME', 'localhost'],
  ['HTTP_USER_AGENT', 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'],
  ['HTTP_ACCEPT', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'],
  ['HTTP_COOKIE', 'PHPSESSID=0123456789abcdef0123456789abcdef; theme=dark'],
]
const HEAD = Buffer.from(
  'X-Powered-By: PHP/8.2.0\r\nSet-Cookie: a=b; path=/\r\nCache-Control: no-store\r\n' +
    'Content-Type: text/html; charset=UTF-8\r\nContent-Length: 1024\r\n\r\n',
)
const params = encodeNameValues(PAIRS)
const output = recordsOf(HEAD, Buffer.alloc(1024, 'x'))
const nothing = { onStream() {}, onStreamEnd() {}, onMessage() {} }

/** The operations, and the number of bytes that a plain copy would move. */
const CASES: Record<string, { run(): unknown; bytes: Buffer }> = {
  'encode 12 params': { run: () => encodeNameValues(PAIRS, 'latin1'), bytes: params },
  'decode 12 params': { run: () => decodeNameValues(params, 'latin1'), bytes: params },
  'encode request head': {
    run: () =>
      encodeRequestHead({
        requestId: 1,
        role: Role.RESPONDER,
        keepConnection: true,
        params,
        endStdin: true,
      }),
    bytes: params,
  },
  'read records of 1 KB': { run: () => new RecordReader(nothing).push(output), bytes: output },
  'parse response head': { run: () => new ResponseHeadParser().push(HEAD), bytes: HEAD },
}

const rows = Object.entries(CASES).map(([name, { run, bytes }]) => {
  const time = nanoseconds(run)
  const copy = nanoseconds(() => Buffer.from(bytes))
  return {
    name,
    bytes: bytes.length,
    'ns/operation': Math.round(time),
    '× copy of the bytes': rounded(time / copy),
    'bytes allocated/operation': Math.round(allocated(run)),
  }
})
report('micro', `Codec, medians of ${values.rounds} batches of ${batch * 10}`, rows)

function recordsOf(...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents)
  const header = Buffer.from([1, 6, 0, 1, content.length >> 8, content.length & 255, 0, 0])
  const end = Buffer.from([1, 6, 0, 1, 0, 0, 0, 0, 1, 3, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  return Buffer.concat([header, content, end])
}

/** CPU time, because wall-clock time includes other load of the machine. */
function nanoseconds(operation: () => unknown): number {
  const times: number[] = []
  for (let round = 0; round <= Number(values.rounds); round++) {
    const before = process.cpuUsage()
    for (let n = 0; n < batch * 10; n++) kept = operation()
    const { user, system } = process.cpuUsage(before)
    times.push(((user + system) * 1000) / (batch * 10))
  }
  return median(times.slice(1))
}

function allocated(operation: () => unknown): number {
  if (global.gc === undefined) throw new Error('run with --expose-gc')
  const samples = Array.from({ length: 5 }, () => {
    global.gc?.()
    const before = process.memoryUsage()
    for (let n = 0; n < batch; n++) kept = operation()
    const after = process.memoryUsage()
    return (after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers) / batch
  })
  return kept === nothing ? 0 : median(samples)
}
