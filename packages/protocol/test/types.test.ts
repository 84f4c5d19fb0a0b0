import * as protocol from '@fastcgi/protocol'
import {
  FastCGIError,
  type ParamsTooLargeError,
  ProtocolError,
  ProtocolStatus,
  RecordType,
  type RequestHead,
  type ResponseHeadLimits,
  Role,
} from '@fastcgi/protocol'
import { expectTypeOf } from 'expect-type'
import t from 'tap'

// These fail where they are compiled: unions of the numbers, not just number.
expectTypeOf<RecordType>().toEqualTypeOf<1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11>()
expectTypeOf<Role>().toEqualTypeOf<1 | 2 | 3>()
expectTypeOf<ProtocolStatus>().toEqualTypeOf<0 | 1 | 2 | 3>()
expectTypeOf<RequestHead['role']>().toEqualTypeOf<Role>()
expectTypeOf<RequestHead['stdin']>().toEqualTypeOf<Uint8Array | undefined>()
expectTypeOf<ParamsTooLargeError>().toExtend<FastCGIError>()
// biome-ignore lint/complexity/noBannedTypes: an empty object is what is meant
expectTypeOf<{}>().toExtend<ResponseHeadLimits>()

t.test('constants are those of FastCGI 1.0', async (t) => {
  t.same(RecordType, {
    BEGIN_REQUEST: 1,
    ABORT_REQUEST: 2,
    END_REQUEST: 3,
    PARAMS: 4,
    STDIN: 5,
    STDOUT: 6,
    STDERR: 7,
    DATA: 8,
    GET_VALUES: 9,
    GET_VALUES_RESULT: 10,
    UNKNOWN_TYPE: 11,
  })
  t.same(Role, { RESPONDER: 1, AUTHORIZER: 2, FILTER: 3 })
  t.same(ProtocolStatus, { REQUEST_COMPLETE: 0, CANT_MPX_CONN: 1, OVERLOADED: 2, UNKNOWN_ROLE: 3 })
  t.match(protocol, {
    VERSION: 1,
    HEADER_LENGTH: 8,
    KEEP_CONN: 1,
    MAX_CONTENT_LENGTH: 65_535,
    MAX_PADDING_LENGTH: 255,
    MAX_PARAMS_LENGTH: 65_528,
    MAX_REQUEST_ID: 65_535,
  })
})

t.test('errors carry a name, a code and their cause', async (t) => {
  const cause = new Error('cause')
  const error = new ProtocolError('message', { cause })
  t.ok(error instanceof FastCGIError)
  t.ok(error instanceof Error)
  t.match(error, { name: 'ProtocolError', code: 'FCGI_PROTOCOL', message: 'message' })
  t.equal(error.cause, cause)
})
