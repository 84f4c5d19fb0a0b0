/** A body that writes past its own queue keeps the order of its bytes. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'

// No part of what the package exports.
const MODULE = new URL('../../dist/response/piped-body.js', import.meta.url).href
const { PipedBody } = (await import(MODULE)) as typeof import('../src/response/piped-body.ts')

t.test('what came before it was piped comes first', async (t) => {
  const server = createServer((_req, res) => {
    const body = new PipedBody()
    let released = 0
    const give = (text: string): boolean => body.accept(Buffer.from(text), () => void released++)
    give('a')
    give('b')
    body.pipe(res)
    t.notOk(body.borrows, 'there is a queue')
    give('c')
    setImmediate(() => {
      t.ok(body.borrows)
      give('d')
      body.flush()
      give('e')
      body.finish()
    })
    res.on('finish', () => t.equal(released, 2, 'and gives back what it has borrowed'))
  })
  t.teardown(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const response = await fetch(`http://127.0.0.1:${port}/`)
  t.equal(await response.text(), 'abcde')
})
