/** What a gateway holds in memory while one side does not take what the other one gives. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { eachAdapter } from '../helpers/adapters.ts'
import { type ForkedGateway, forkGateway } from '../helpers/php-gateway.ts'
import { ask, blocks, hashOf, hashOfBlocks, open } from '../helpers/php-http.ts'
import { skipsOnWasm } from '../helpers/php-on-wasm.ts'
import { NEEDS_FPM, phpFpm, SITE } from '../helpers/php-site.ts'
import { delay, until, within } from '../helpers/wait.ts'

const MEGABYTE = 1_048_576
const SIZE = 100 * MEGABYTE
const MOST_GROWTH = 32 * MEGABYTE
const LONG = 60_000
const HASH = hashOfBlocks(SIZE)

t.test('memory', NEEDS_FPM, async (t) => {
  const { address: upstream } = await phpFpm(t)

  await eachAdapter(t, 'a download of 100 MB that nobody reads', async (t, adapter) => {
    const directory = t.testdir()
    const env = { TEST_DIR: directory }
    const gateway = await forkGateway(t, adapter, { upstream, root: SITE, env })
    await ask(gateway.port, '/hash.php')
    const before = await gateway.memory()
    const response = await open(gateway.port, `/bytes.php?n=${SIZE}`)
    response.pause()
    await noGrowth(t, gateway, before)
    t.notOk(existsSync(join(directory, 'sent')), 'the script waits')
    const hash = await within('the rest of the download', hashOf(response), LONG)
    t.same(hash, HASH)
    await until('the end of the script', () => existsSync(join(directory, 'sent')))
  })

  await eachAdapter(t, 'an upload of 100 MB while all workers are busy', async (t, adapter) => {
    if (skipsOnWasm(t, 'process')) return
    const directory = t.testdir()
    const env = { TEST_DIR: directory }
    const gateway = await forkGateway(t, adapter, { upstream, root: SITE, env })
    await ask(gateway.port, '/hash.php')
    const busy = [1, 2].map(() => open(gateway.port, '/wait.php', { limit: LONG }))
    await until('two busy workers', () => readdirSync(directory).length === 2)
    const before = await gateway.memory()
    const upload = open(gateway.port, '/hash.php', {
      method: 'PUT',
      headers: { 'content-length': SIZE },
      body: blocks(SIZE),
      limit: LONG,
    })
    await noGrowth(t, gateway, before)
    writeFileSync(join(directory, 'go'), '')
    for (const response of busy) t.equal(await text(await response), 'done')
    t.match(JSON.parse(await text(await upload)), HASH)
  })
})

/** Looks for a second, in which all of the 100 MB could have come. */
async function noGrowth(t: Test, gateway: ForkedGateway, before: { rss: number; used: number }) {
  let rss = 0
  let used = 0
  for (let n = 0; n < 10; n++) {
    await delay(100)
    const now = await gateway.memory()
    rss = Math.max(rss, now.rss - before.rss)
    used = Math.max(used, now.used - before.used)
  }
  t.ok(used < MOST_GROWTH, `heap and buffers grew by ${(used / MEGABYTE).toFixed(1)} MB`)
  t.ok(rss < MOST_GROWTH, `the process grew by ${(rss / MEGABYTE).toFixed(1)} MB`)
}
