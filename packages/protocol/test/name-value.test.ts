import {
  decodeNameValues,
  encodeNameValues,
  NameValueEncoder,
  ParamsTooLargeError,
  ProtocolError,
} from '@fastcgi/protocol'
import t from 'tap'

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex')
}

function text(length: number): string {
  return 'abcdefghijklmnopqrstuvwxyz'.repeat(length / 26 + 1).slice(0, length)
}

t.test('the bytes of a block', async (t) => {
  const x = (count: number): string => '78'.repeat(count)
  const cases: Array<[Array<[string, string]>, string]> = [
    [[], ''],
    [[['', '']], '00 00'],
    [[['A', '']], '01 00 41'],
    [[['', 'B']], '00 01 42'],
    [[['NAME', 'value']], '04 05 4e414d45 76616c7565'],
    [[['A', 'x'.repeat(127)]], `01 7f 41 ${x(127)}`],
    [[['A', 'x'.repeat(128)]], `01 80000080 41 ${x(128)}`],
    [[['x'.repeat(127), 'B']], `7f 01 ${x(127)} 42`],
    [[['x'.repeat(128), 'B']], `80000080 01 ${x(128)} 42`],
    [[['x'.repeat(256), 'x'.repeat(300)]], `80000100 8000012c ${x(556)}`],
    // Order and duplicates stay; with php-fpm the last of a name wins.
    [
      [
        ['B', '1'],
        ['A', '2'],
        ['B', '3'],
      ],
      '01 01 42 31  01 01 41 32  01 01 42 33',
    ],
  ]
  for (const [pairs, expected] of cases) {
    const block = encodeNameValues(pairs)
    t.equal(block.toString('hex'), hex(expected).toString('hex'))
    t.same(decodeNameValues(block), pairs)
  }
})

t.test('what is encoded is decoded again, for names and values of many lengths', async (t) => {
  const lengths = [0, 1, 2, 126, 127, 128, 129, 255, 256, 257, 2047, 2048, 32_767, 32_768]
  const pairs = lengths.flatMap((name) =>
    lengths
      .filter((value) => name + value + 8 <= 65_528)
      .map((value): [string, string] => [text(name), text(value)]),
  )
  for (const pair of pairs) t.same(decodeNameValues(encodeNameValues([pair])), [pair])
  t.same(decodeNameValues(encodeNameValues(pairs)), pairs, 'all of them in one block')
})

t.test('a pair as large as a record fits, one byte more does not', async (t) => {
  // Bytes besides the value: lengths of 1 or 4 bytes each, and the name.
  const cases: Array<[number, number]> = [
    [0, 65_528 - 5],
    [1, 65_528 - 6],
    [127, 65_528 - 127 - 5],
    [128, 65_528 - 128 - 8],
    [65_000, 65_528 - 65_000 - 8],
    [65_528 - 5, 0],
  ]
  for (const [name, value] of cases) {
    const block = encodeNameValues([[text(name), text(value)]])
    t.equal(block.length, 65_528)
    t.same(decodeNameValues(block), [[text(name), text(value)]])
    t.throws(() => encodeNameValues([[text(name), text(value + 1)]]), ParamsTooLargeError)
    t.throws(() => encodeNameValues([[text(name + 1), text(value)]]), ParamsTooLargeError)
  }
})

t.test('utf8 and latin1', async (t) => {
  t.equal(encodeNameValues([['é', '€']]).toString('hex'), '0203c3a9e282ac')
  t.equal(encodeNameValues([['é', 'ÿ']], 'latin1').toString('hex'), '0101e9ff')
  const bytes = hex('01 03 41 e282ac')
  t.same(decodeNameValues(bytes), [['A', '€']])
  t.same(decodeNameValues(bytes, 'latin1'), [['A', '\xe2\x82\xac']])
  t.same(encodeNameValues(decodeNameValues(bytes, 'latin1'), 'latin1'), bytes)

  const value = 'é'.repeat(64)
  t.equal(encodeNameValues([['A', value]]).toString('hex', 0, 6), '018000008041', '128 bytes')
  t.equal(encodeNameValues([['A', value]], 'latin1').toString('hex', 0, 3), '014041', '64 bytes')
  t.throws(() => encodeNameValues([['A', 'é'.repeat(32_762)]]), ParamsTooLargeError)
  t.equal(encodeNameValues([['A', 'é'.repeat(32_761)]]).length, 65_528)

  const encoder = new NameValueEncoder()
  encoder.add('A', 'é', 'latin1')
  encoder.add('B', 'é')
  t.equal(encoder.finish().toString('hex'), '010141e9010242c3a9', 'by pair')
  t.same(encodeNameValues([['A', '\ud800']]), hex('01 03 41 efbfbd'), 'half of a surrogate pair')
})

t.test('an encoder starts from its prefix and leaves it as it was', async (t) => {
  const prefix = encodeNameValues([['A', 'static']])
  const before = Buffer.from(prefix)
  for (const value of ['1', text(5000)]) {
    const encoder = new NameValueEncoder(10_000, prefix)
    encoder.add('B', value)
    t.same(decodeNameValues(encoder.finish()), [
      ['A', 'static'],
      ['B', value],
    ])
    t.same(prefix, before)
  }
  t.same(new NameValueEncoder(10_000, prefix).finish(), before, 'nothing added')
  t.equal(new NameValueEncoder().finish().length, 0, 'nothing at all')
})

t.test('an encoder takes up to its limit, prefix included', async (t) => {
  const prefix = encodeNameValues([['A', 'B']])
  const encoder = new NameValueEncoder(12, prefix)
  encoder.add('C', 'D')
  t.throws(() => encoder.add('E', 'FG'), {
    name: 'ParamsTooLargeError',
    code: 'FCGI_PARAMS_TOO_LARGE',
    message: 'params take over 12 bytes (option maxParamsSize), at E',
  })
  encoder.add('E', 'F')
  t.throws(() => encoder.add('', ''), ParamsTooLargeError)
  t.equal(
    encoder.finish().toString(),
    '\x01\x01AB\x01\x01CD\x01\x01EF',
    'refused pairs left nothing',
  )
})

t.test('an encoder without a limit grows, step by step and at once', async (t) => {
  const pairs: Array<[string, string]> = []
  for (let index = 0; index < 5000; index++) pairs.push([`NAME_${index}`, text(index % 300)])
  t.same(decodeNameValues(encodeNameValues(pairs)), pairs)
  const jump: Array<[string, string]> = [
    ['A', text(60_000)],
    ['B', text(65_000)],
  ]
  t.same(decodeNameValues(encodeNameValues(jump)), jump)
  for (const last of ['', 'x', 'xy']) {
    // 2048 bytes are there from the start: ends one before, at and after that.
    const pairs: Array<[string, string]> = [
      ['A', text(2048 - 6 - 4)],
      ['B', last],
    ]
    t.same(decodeNameValues(encodeNameValues(pairs)), pairs)
  }
})

t.test('an error names the param, shortened, and never shows its value', async (t) => {
  t.throws(() => encodeNameValues([['HTTP_COOKIE', text(65_528)]]), {
    name: 'ParamsTooLargeError',
    message: 'param HTTP_COOKIE takes 65544 bytes, over the 65528 of one record',
  })
  t.throws(() => encodeNameValues([[text(65_528), '']]), {
    message: `param ${text(64)}… takes 65533 bytes, over the 65528 of one record`,
  })
})

t.test('the long form of a short length is accepted', async (t) => {
  t.same(decodeNameValues(hex('80000001 80000002 41 4243')), [['A', 'BC']])
  t.same(decodeNameValues(hex('01 80000000 41  80000000 01 44')), [
    ['A', ''],
    ['', 'D'],
  ])
})

t.test('a block cut short at any byte is refused, except between pairs', async (t) => {
  const blocks = [
    hex('03 02 414243 4445  01 00 46'),
    hex('80000003 80000002 414243 4445  01 80000001 46 47'),
  ]
  const borders = [
    [0, 7, 10],
    [0, 13, 20],
  ]
  for (const [index, block] of blocks.entries()) {
    t.equal(block.length, borders[index]?.at(-1))
    for (let length = 0; length <= block.length; length++) {
      const decode = (): unknown => decodeNameValues(block.subarray(0, length))
      if (borders[index]?.includes(length)) t.doesNotThrow(decode, `${length} bytes`)
      else t.throws(decode, ProtocolError, `${length} bytes`)
    }
  }
})

t.test('lengths that reach past the end are refused, whatever follows in memory', async (t) => {
  const cases = [
    '01 00',
    '00 01',
    '05 00 41424344',
    '01 05 41 42434445',
    '01 ffffffff 41',
    'ffffffff 01 41',
    'ffffffff ffffffff',
    'ffffffff ffffffff 4142',
    'fffffffe 80000002 4142',
    '80010000 00 41',
    '01 81000000 41',
    '81000000 00',
  ]
  for (const bytes of cases) {
    const inside = Buffer.concat([hex(bytes), Buffer.alloc(100, 0x41)])
    const block = inside.subarray(0, hex(bytes).length)
    t.throws(() => decodeNameValues(block), ProtocolError, bytes)
  }
})

t.test('what a bad length claims is not allocated', async (t) => {
  const { alloc, allocUnsafe, allocUnsafeSlow } = Buffer
  const block = hex('ffffffff ffffffff 41')
  const sizes: number[] = []
  const note = (size: number): Buffer => {
    sizes.push(size)
    return allocUnsafe(0)
  }
  t.teardown(() => Object.assign(Buffer, { alloc, allocUnsafe, allocUnsafeSlow }))
  Object.assign(Buffer, { alloc: note, allocUnsafe: note, allocUnsafeSlow: note })
  t.throws(() => decodeNameValues(block), { code: 'FCGI_PROTOCOL' })
  t.same(sizes, [])
})
