/** A short form of `npm run chaos`, all adapters side by side. CHAOS_SEED chooses another seed. */
import t from 'tap'
import { ADAPTERS } from '../helpers/adapters.ts'
import { findDnsmasq } from '../helpers/dns-server.ts'
import { NEEDS_CGI, NEEDS_FPM } from '../helpers/php-site.ts'
import { needs } from '../helpers/require-program.ts'
import { FAULTS, type Fault } from './report.ts'
import { run } from './run.ts'
import { table } from './table.ts'

/** Of chaos; the start, the warm-up and the end take as long again. */
const SECONDS = 40
const seed = Number(process.env.CHAOS_SEED ?? 1)

const all = [NEEDS_FPM, NEEDS_CGI, needs('dnsmasq-base', findDnsmasq())]
const missing = all.find(({ skip }) => skip !== false)

t.test(`chaos, seed ${seed}`, missing ?? { skip: false }, async (t) => {
  t.comment(`seed ${seed}`)
  const reports = await Promise.all(ADAPTERS.map((adapter) => run(adapter, seed, SECONDS)))
  for (const { name, faults, details, trace } of reports) {
    for (const [fault, words] of Object.entries(FAULTS))
      t.equal(faults[fault as Fault], 0, `${name}: ${words}`)
    if (details.length > 0) t.comment([...details, ...trace].join('\n'))
  }
  t.comment(table(reports))
})
