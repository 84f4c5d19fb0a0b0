/** Shares and waiting times under load: of no use unless the machine does nothing else, so these run by themselves. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { findPhpFpm, type PhpProcess, startPhpFpm } from '#php'
import { type LoadResult, runLoad, runLoadsApart } from '../helpers/load.ts'
import { needs } from '../helpers/require-program.ts'
import { scaled } from '../helpers/time-limit.ts'

const options = needs('php-fpm', findPhpFpm())

const root = mkdtempSync(join(tmpdir(), 'fcgi-php-'))
t.teardown(() => rmSync(root, { recursive: true, force: true }))
writeFileSync(join(root, 'pid.php'), '<?php echo getmypid();')
const pid = {
  REQUEST_METHOD: 'GET',
  SCRIPT_NAME: '/pid.php',
  SCRIPT_FILENAME: join(root, 'pid.php'),
}

async function php(t: Test): Promise<PhpProcess> {
  const started = await startPhpFpm({ children: 2 })
  t.teardown(() => started.stop())
  return started
}

t.test('16 clients on 2 children: all get their share', options, async (t) => {
  const { address } = await php(t)
  const result = await runLoad({ address, params: pid, clients: 16, duration: 2000 })
  const mean = result.times.length / 16
  t.strictSame(result.failures, [])
  t.ok(mean > 20, `${result.times.length} answers`)
  t.ok(
    result.counts.every((count) => Math.abs(count - mean) < 0.25 * mean),
    `${result.counts}`,
  )
  const [p50, p99] = [at(result, 0.5), at(result, 0.99)]
  t.ok(p99 < scaled(20) * p50, `p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`)
})

function at({ times }: LoadResult, share: number): number {
  return times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0
}

t.test('two processes on the same 2 children: neither starves', options, async (t) => {
  const { address } = await php(t)
  const load = { address, params: pid, clients: 8, duration: 2000 }
  const results = await runLoadsApart([load, load])
  const total = results.reduce((sum, { times }) => sum + times.length, 0)
  for (const { times, failures } of results) {
    t.strictSame(failures, [])
    t.ok(times.length > 0.2 * total, `${times.length} of ${total}`)
    t.ok((times.at(-1) ?? 0) < scaled(2000), `longest wait ${times.at(-1)?.toFixed()} ms`)
  }
})
