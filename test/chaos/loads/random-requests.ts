/** Requests of random bytes, more or less HTTP, made by fast-check. Only that the gateway survives them is looked at. */
import fc from 'fast-check'
import { rawConnect } from '../../helpers/raw-http.ts'
import { delay } from '../../helpers/wait.ts'
import type { Load } from './load.ts'

/** How long such a client waits for an answer, at the most. */
const STAY = 1000

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'BREW', 'CONNECT']
const TARGETS = [
  '/page.php?n=10&key=a',
  '/page.php/more/path?n=10&key=a',
  '/take.php',
  '/mutated/x',
  '/%00',
  '/..%2f..%2fetc/passwd',
  '//page.php',
  '/page.php%',
  '*',
  'http://other.example/page.php?n=1&key=b',
]
const FIELDS = [
  'Host: chaos',
  'Content-Length: 5',
  'Content-Length: 99999999999999999999',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip, chunked',
  'Expect: 100-continue',
  'Expect: nonsense',
  'Connection: close',
  'Connection: upgrade, x-id',
  'Upgrade: websocket',
  'Range: bytes=5-1,,-',
  'Proxy: http://evil.example',
  'X-Id: a',
]

const token = fc.string({ unit: 'binary', maxLength: 30 })
const mostly = (values: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...values) }, { weight: 1, arbitrary: token })

const request = fc
  .tuple(
    mostly(METHODS),
    mostly(TARGETS),
    fc.constantFrom('1.1', '1.1', '1.0', '2.0', ''),
    fc.array(mostly(FIELDS), { maxLength: 6 }),
    fc.oneof(token, fc.constantFrom('5\r\nhello\r\n0\r\n\r\n', 'hello', 'ffffffff\r\n')),
  )
  .map(([method, target, version, fields, body]) =>
    Buffer.from(
      `${method} ${target} HTTP/${version}\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n${body}`,
      'latin1',
    ),
  )

/** A load that draws its requests from a seed. */
export function randomRequests(seed: number): Load {
  const source = requestsOf(seed)
  return async ({ port, report }) => {
    const socket = await rawConnect(port)
    socket.on('error', () => {}).resume()
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.write(source.next().value)
    await Promise.race([closed, delay(STAY)])
    socket.destroy()
    report.count('random requests')
  }
}

function* requestsOf(seed: number): Generator<Buffer, never> {
  for (let batch = 0; ; batch++) yield* fc.sample(request, { seed: seed + batch, numRuns: 100 })
}
