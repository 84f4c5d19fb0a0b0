/**
 * Thousands of random mixes of scripts, in virtual time, behind real schedulers. What would make it fail: queued requests
 * beside free workers (no spare connection, no stall rule), workers held by idle connections (no yielding), requests sent to
 * workers that are busy with after-work (no measurement), requests that overtake waiting ones, and turns without an end.
 */
import t from 'tap'
import { longestExtraWait, type Mix, randomMix, runMix } from './mixes.ts'

const MIXES = 2000

// Ten seconds of computing on a machine with nothing else to do.
t.setTimeout(240_000)

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
  for (const { mix, ratio } of sorted.slice(0, 3))
    t.ok(ratio >= 0.9, `at least ${ratio.toFixed(3)}, ${describe(mix)}`)
  t.end()
})

t.test('waiting, compared with gateways without reuse', (t) => {
  const longer = results.filter(({ extra }) => extra > 2000)
  // What another gateway has in the backlog cannot be seen: a script with 3 s of after-work may be served before it.
  t.ok(longer.length <= 5, `over 2 s longer in ${longer.length} of ${MIXES} mixes`)
  for (const { mix, extra } of longer) {
    const text = `${extra.toFixed()} ms, ${describe(mix)}`
    t.match(mix.kind, /3000 after/, text)
    t.equal(mix.gateways, 2, text)
  }
  t.end()
})
