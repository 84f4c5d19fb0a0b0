/**
 * Keeps the way of a request short: what it runs and allocates is counted, which says the same on every machine.
 * How fast that is, `npm run bench` measures.
 */
import t from 'tap'
import { type Cost, HotPath, type ServerName } from '../helpers/hot-path.ts'
import { startPeer, wellBehaved } from '../helpers/scripted-peer.ts'

const BODY = Buffer.alloc(1024, 'x')

/**
 * What a request costs on top of what the bare server costs. Over its margin the test fails: make it cheaper again or, if
 * what it buys is worth it, write down the new figures. Far below it fails as well, so that what was won is kept.
 */
const EXPECTED: ReadonlyArray<readonly [ServerName, Buffer | undefined, Cost]> = [
  ['http', undefined, { ours: 73_000, others: 41_000, bytes: 17_000 }],
  ['fastify', undefined, { ours: 73_500, others: 40_500, bytes: 17_000 }],
  ['express', undefined, { ours: 74_000, others: 40_000, bytes: 15_500 }],
  ['http', BODY, { ours: 87_500, others: 117_000, bytes: 31_000 }],
]

/** Code is counted exactly; of memory, the same program on the same machine takes now 16.5 and now 19 KB. */
const MARGINS: Readonly<Record<keyof Cost, { most: number; least: number }>> = {
  ours: { most: 1.15, least: 0.7 },
  others: { most: 1.15, least: 0.7 },
  bytes: { most: 1.4, least: 0.5 },
}

t.test('the cost of a request', async (t) => {
  const peer = await startPeer(wellBehaved(() => BODY))
  t.teardown(() => peer.close())
  // Connections that end of age would come at random.
  const servers = await HotPath.start({ upstream: peer.address, checkLocal: false, maxAge: 0 })
  t.teardown(() => servers.stop())
  for (const [server, body, expected] of EXPECTED)
    await t.test(`${server}, ${body === undefined ? 'GET' : 'POST'}`, async (t) => {
      const bare = await servers.measure(`bare-${server}` as ServerName, body)
      const whole = await servers.measure(server, body)
      for (const figure of ['ours', 'others', 'bytes'] as const) {
        const found = whole[figure] - bare[figure]
        const share = found / expected[figure]
        const text = `${figure}: ${found}, expected ${expected[figure]}`
        t.ok(share <= MARGINS[figure].most, `no dearer; ${text}`)
        t.ok(share >= MARGINS[figure].least, `no cheaper; ${text}`)
      }
    })
})
