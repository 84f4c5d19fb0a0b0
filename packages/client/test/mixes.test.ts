/**
 * Thousands of random mixes of scripts, in virtual time, behind real schedulers. What would make it fail: a limit that
 * stays too low (no raise, no stall rule), workers held by idle connections (no yielding), requests sent to workers that are
 * busy with after-work (no measurement), long scripts that overtake waiting requests, and other gateways kept waiting.
 */
import t from 'tap'
import { longestExtraWait, type Mix, randomMix, runMix } from './mixes.ts'

const MIXES = 2000

const describe = ({ seed, kind, workers, workersLater, clients, gateways }: Mix): string =>
  `seed ${seed}: ${kind}, ${workers} to ${workersLater} workers, ${clients} clients, ${gateways} gateways`

const results = Array.from({ length: MIXES }, (_, n) => {
  const mix = randomMix(n + 1)
  const outcome = runMix(mix, true)
  const ratio = outcome.worked / runMix(mix, false).worked
  return { mix, ratio, extra: longestExtraWait(mix, outcome) }
})

t.test('throughput, compared with a work-conserving ideal', (t) => {
  const sorted = [...results].sort((one, other) => one.ratio - other.ratio)
  const median = sorted[MIXES / 2]?.ratio ?? 0
  t.ok(median >= 0.97, `${median.toFixed(4)} in the median`)
  const alone = sorted.find(({ mix }) => mix.gateways === 1)
  t.ok(
    alone !== undefined && alone.ratio >= 0.9,
    `one gateway: at least ${alone?.ratio.toFixed(3)}, ${alone && describe(alone.mix)}`,
  )
  // Two gateways that do not see each other need some time to notice; a mix lasts a few seconds only.
  const shared = sorted.filter(({ mix, ratio }) => mix.gateways > 1 && ratio < 0.9)
  t.ok(shared.length <= 3, `two gateways: below 0.9 in ${shared.length} mixes`)
  for (const { mix, ratio } of shared) t.ok(ratio >= 0.8, `${ratio.toFixed(3)}, ${describe(mix)}`)
  t.end()
})

t.test('waiting, compared with gateways without reuse', (t) => {
  // The first very long script of an application may overtake a waiting request, because nothing is known of it.
  const longer = results.filter(({ extra }) => extra > 2000)
  t.ok(longer.length <= 5, `over 2 s longer in ${longer.length} of ${MIXES} mixes`)
  for (const { mix, extra } of longer)
    t.match(mix.kind, /heavy|3000/, `${extra.toFixed()} ms, ${describe(mix)}`)
  t.end()
})
