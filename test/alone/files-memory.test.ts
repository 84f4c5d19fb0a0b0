/** What a gateway holds in memory of a file of 1 GB that it sends. */
import { once } from 'node:events'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { eachAdapter } from '../helpers/adapters.ts'
import { forkGateway } from '../helpers/php-gateway.ts'
import { ask, open } from '../helpers/php-http.ts'
import { delay, until, within } from '../helpers/wait.ts'

const MEGABYTE = 1_048_576
const SIZE = 1024 * MEGABYTE
const MOST_GROWTH = 64 * MEGABYTE
const LONG = 100_000

t.test('1 GB with flat memory', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  writeFileSync(join(root, 'huge.bin'), '')
  truncateSync(join(root, 'huge.bin'), SIZE)
  await eachAdapter(t, 'read at full speed, and not at all for a while', async (t, adapter) => {
    const gateway = await forkGateway(t, adapter, { upstream: '127.0.0.1:9', root, static: true })
    await ask(gateway.port, '/huge.bin', { headers: { range: 'bytes=0-9999999' } })
    const before = await gateway.memory()
    const grown = { rss: 0, used: 0 }
    const look = async (): Promise<void> => {
      const { rss, used } = await gateway.memory()
      grown.rss = Math.max(grown.rss, rss - before.rss)
      grown.used = Math.max(grown.used, used - before.used)
    }
    const response = await open(gateway.port, '/huge.bin')
    let received = 0
    response.on('data', (chunk) => {
      received += chunk.length
    })
    const ended = once(response, 'end')
    await until('half of it', () => received > SIZE / 2, LONG)
    await look()
    response.pause()
    for (let n = 0; n < 5; n++) {
      await delay(50)
      await look()
    }
    response.resume()
    await within('the rest', ended, LONG)
    await look()
    t.equal(received, SIZE)
    for (const [what, bytes] of Object.entries(grown))
      t.ok(bytes < MOST_GROWTH, `${what} grew by ${(bytes / MEGABYTE).toFixed(1)} MB`)
  })
})
