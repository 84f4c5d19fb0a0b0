/** Records that applications read and answer with. */
import {
  decodeBeginRequest,
  encodeGetValuesResult,
  encodeRequestHead,
  encodeUnknownType,
  ProtocolError,
  Role,
} from '@fastcgi/protocol'
import t from 'tap'

t.test('decodeBeginRequest', async (t) => {
  for (const keepConnection of [true, false]) {
    const head = encodeRequestHead({
      requestId: 1,
      role: Role.FILTER,
      keepConnection,
      params: Buffer.alloc(0),
      endStdin: false,
    })
    t.strictSame(decodeBeginRequest(head.subarray(8, 16)), { role: Role.FILTER, keepConnection })
  }
  t.strictSame(decodeBeginRequest(Buffer.from([1, 2, 0xfe, 0, 0, 0, 0, 0])), {
    role: 258,
    keepConnection: false,
  })
  for (const length of [0, 7, 9])
    t.throws(() => decodeBeginRequest(Buffer.alloc(length)), ProtocolError, `${length} bytes`)
})

t.test('encodeGetValuesResult', async (t) => {
  const bytes = encodeGetValuesResult([['A', '1']])
  t.strictSame([...bytes], [1, 10, 0, 0, 0, 4, 4, 0, 1, 1, 65, 49, 0, 0, 0, 0])
  t.strictSame([...encodeGetValuesResult([])], [1, 10, 0, 0, 0, 0, 0, 0])
})

t.test('encodeUnknownType', async (t) => {
  t.strictSame([...encodeUnknownType(77)], [1, 11, 0, 0, 0, 8, 0, 0, 77, 0, 0, 0, 0, 0, 0, 0])
})
