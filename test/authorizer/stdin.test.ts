/** `sendStdin: false`: no STDIN at all, as mod_fcgid and mod_authnz_fcgi ask. */
import { createServer } from 'node:net'
import { RecordType } from '@fastcgi/protocol'
import t from 'tap'
import { eachAdapter } from '../helpers/adapters.ts'
import { whole } from '../helpers/behind.ts'
import { guarded } from '../helpers/guarded.ts'
import { until } from '../helpers/wait.ts'

await eachAdapter(t, 'sendStdin: false', async (t, adapter) => {
  const types: number[] = []
  const server = createServer((socket) => {
    let bytes = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk])
      for (;;) {
        const length = bytes.length < 8 ? Number.NaN : bytes.readUInt16BE(4)
        const end = 8 + length + (bytes[6] ?? 0)
        if (!(bytes.length >= end)) return
        types.push(bytes[0 + 1] ?? 0)
        // The end of the params is all that an authorizer needs.
        if (types.at(-1) === RecordType.PARAMS && length === 0)
          socket.write(whole('Status: 200\r\nVariable-A: 1\r\n\r\n'))
        bytes = bytes.subarray(end)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const upstream = `127.0.0.1:${(server.address() as { port: number }).port}`
  const { send, through } = await guarded(t, adapter, [{ upstream, sendStdin: false }])
  for (let n = 1; n <= 2; n++) {
    const { status } = await send(
      'POST /node',
      ['Content-Type: text/plain', 'Content-Length: 2'],
      'hi',
    )
    t.equal(status, 200)
    t.strictSame(through[n - 1]?.variables, { A: '1' })
  }
  await until('both questions', () => types.length >= 6)
  t.notOk(types.includes(RecordType.STDIN), 'no STDIN', { types })
})
