/** The switches of ScaleOut's service. */
import t from 'tap'
import { readArguments } from './internals.ts'

t.test('what they choose', async (t) => {
  const cases: ReadonlyArray<readonly [string, object]> = [
    ['', { mode: 'stdio' }],
    ['-mode=stdio', { mode: 'stdio' }],
    ['-mode=unix -unix=/tmp/a.sock', { mode: 'unix', path: '/tmp/a.sock' }],
    ['-unix /tmp/a.sock', { mode: 'unix', path: '/tmp/a.sock' }],
    ['-mode=tcp -port=4000', { mode: 'tcp', host: '127.0.0.1', port: 4000 }],
    ['--port 4000 --host=::1', { mode: 'tcp', host: '::1', port: 4000 }],
    ['serve -verbose --port=1 file', { mode: 'tcp', host: '127.0.0.1', port: 1 }],
  ]
  for (const [line, choice] of cases)
    t.strictSame(readArguments(line.split(' ').filter(Boolean)), choice, line)
})

t.test('what cannot be', async (t) => {
  const cases: ReadonlyArray<readonly [string, RegExp]> = [
    ['-mode=tcp', /-mode=tcp needs -port=N.*got none/],
    ['-port=x', /got x/],
    ['-port=65536', /got 65536/],
    ['-mode=unix', /-unix=/],
    ['-mode=udp', /-mode=udp: there are tcp, unix and stdio/],
  ]
  for (const [line, message] of cases)
    t.throws(() => readArguments(line.split(' ')), { code: 'FCGI_OPTION', message }, line)
})
