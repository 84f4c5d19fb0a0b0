/** Static files: ranges (RFC 9110 §14), one and several, byte by byte. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { head, serve, site } from './harness.ts'

/** 1,000 bytes, no two places of which look alike. */
const BYTES = Buffer.from(Array.from({ length: 250 }, (_, n) => `${n} `.padStart(4, 'x')).join(''))

/** Asks for ranges of a file of 1,000 bytes. */
async function ranged(t: Test) {
  const root = site(t, 'x.php')
  writeFileSync(join(root, 'a.bin'), BYTES)
  writeFileSync(join(root, 'empty.bin'), '')
  const { raw } = await serve(t, { root, static: true })
  return async (range: string, line = 'GET /a.bin HTTP/1.1', ...fields: string[]) => {
    const text = await raw(head(line, `Range: ${range}`, ...fields))
    const end = text.indexOf('\r\n\r\n')
    const field = (name: string) =>
      new RegExp(`^${name}: (.*)$`, 'im').exec(text.slice(0, end))?.[1]?.trim()
    return { status: Number(text.slice(9, 12)), field, body: text.slice(end + 4) }
  }
}

t.test('one range', async (t) => {
  const get = await ranged(t)
  const cases: Array<[range: string, first: number, last: number]> = [
    ['bytes=0-0', 0, 0],
    ['bytes=0-9', 0, 9],
    ['bytes=990-', 990, 999],
    ['bytes=-10', 990, 999],
    ['bytes=-1000', 0, 999],
    ['bytes=-5000', 0, 999],
    ['bytes=999-999', 999, 999],
    ['bytes=500-99999', 500, 999],
    ['Bytes = 1-2', 1, 2],
    ['bytes=1000-,0-1', 0, 1],
    ['bytes=, 3-4 ,', 3, 4],
    ['bytes=0-5,3-9', 0, 9],
    ['bytes=0-5,6-9', 0, 9],
    ['bytes=0-5,85-90', 0, 90],
    ['bytes=10-20,0-9', 0, 20],
    ['bytes=0-99,10-20', 0, 99],
  ]
  for (const [range, first, last] of cases) {
    const { status, field, body } = await get(range)
    t.equal(status, 206, range)
    t.equal(field('content-range'), `bytes ${first}-${last}/1000`, range)
    t.equal(field('content-length'), String(last - first + 1), range)
    t.equal(field('content-type'), 'application/octet-stream', range)
    t.equal(body, BYTES.toString('latin1', first, last + 1), range)
  }
})

t.test('a range that is not there', async (t) => {
  const get = await ranged(t)
  for (const range of ['bytes=1000-', 'bytes=5000-6000', 'bytes=-0', 'bytes=1000-,2000-3000']) {
    const { status, field, body } = await get(range)
    t.equal(status, 416, range)
    t.equal(field('content-range'), 'bytes */1000', range)
    t.equal(field('content-length'), '0', range)
    t.equal(body, '', range)
  }
})

t.test('a Range that does not count', async (t) => {
  const get = await ranged(t)
  const many = Array.from({ length: 129 }, (_, n) => `${n}-${n}`).join(',')
  const wrong = [
    'bytes=',
    'bytes',
    'bytes=-',
    'bytes=a-b',
    'bytes=5-2',
    'bytes=1-2,x',
    'bytes=0x1-2',
  ]
  for (const range of [...wrong, 'lines=1-2', 'bytes=1-2-3', 'bytes=+1-2', `bytes=${many}`]) {
    const { status, field, body } = await get(range)
    t.equal(status, 200, range.slice(0, 40))
    t.equal(field('content-length'), '1000')
    t.equal(field('content-range'), undefined)
    t.equal(body.length, 1000)
  }
  const whole = [
    await get('bytes=0-1', 'HEAD /a.bin HTTP/1.1'),
    await get('bytes=0-1', 'GET /a.bin HTTP/1.0'),
  ]
  for (const { status, field } of whole) {
    t.equal(status, 200)
    t.equal(field('content-length'), '1000')
    t.equal(field('accept-ranges'), 'bytes')
  }
  const empty = await get('bytes=0-1', 'GET /empty.bin HTTP/1.1')
  t.same([empty.status, empty.field('content-length'), empty.body], [200, '0', ''])
})

t.test('several ranges', async (t) => {
  const get = await ranged(t)
  const cases: Array<[range: string, parts: Array<[first: number, last: number]>]> = [
    [
      'bytes=0-1,200-210',
      [
        [0, 1],
        [200, 210],
      ],
    ],
    [
      'bytes=-3,0-1',
      [
        [997, 999],
        [0, 1],
      ],
    ],
    [
      'bytes=500-510,0-5,505-520',
      [
        [500, 520],
        [0, 5],
      ],
    ],
    [
      'bytes=0-5,85-90,170-180,261-262',
      [
        [0, 180],
        [261, 262],
      ],
    ],
    [
      'bytes=0-0,5000-,300-300',
      [
        [0, 0],
        [300, 300],
      ],
    ],
    [
      'bytes=0-5,86-90',
      [
        [0, 5],
        [86, 90],
      ],
    ],
  ]
  for (const [range, parts] of cases) {
    const { status, field, body } = await get(range)
    t.equal(status, 206, range)
    t.equal(field('content-range'), undefined, 'that of the parts is in the parts')
    const boundary = /^multipart\/byteranges; boundary=(\S+)$/.exec(
      field('content-type') ?? '',
    )?.[1]
    t.equal(field('content-length'), String(body.length), range)
    const expected = parts.map(
      ([first, last]) =>
        `--${boundary}\r\nContent-Type: application/octet-stream\r\n` +
        `Content-Range: bytes ${first}-${last}/1000\r\n\r\n${BYTES.toString('latin1', first, last + 1)}`,
    )
    t.equal(body, `${expected.join('\r\n')}\r\n--${boundary}--\r\n`, range)
  }
  const most = await get(`bytes=${Array.from({ length: 128 }, (_, n) => `${n}-${n}`).join(',')}`)
  t.same([most.status, most.field('content-range')], [206, 'bytes 0-127/1000'])
})
