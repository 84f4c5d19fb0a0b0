/** Few workers, many clients: everybody is answered, and nobody waits long. */
import { Agent } from 'node:http'
import t from 'tap'
import { eachAdapter, startAdapter } from '../helpers/adapters.ts'
import { forkGateway } from '../helpers/php-gateway.ts'
import { ask } from '../helpers/php-http.ts'
import { countConnections, NEEDS_FPM, phpFpm, SITE } from '../helpers/php-site.ts'
import { scaled } from '../helpers/time-limit.ts'

const SECONDS_2 = 2000

t.test('fairness', NEEDS_FPM, async (t) => {
  const php = await phpFpm(t)
  const options = { upstream: php.address, root: SITE }

  await eachAdapter(t, 'ten requests in a row use one connection', async (t, adapter) => {
    // Age limits a connection too, and here only the number is of interest.
    const { address: upstream, count } = await countConnections(t, php)
    const { port } = await startAdapter(t, adapter, { upstream, root: SITE, maxAge: 0 })
    // The connection of a script that is run for the first time is closed, to measure its after-work; on a busy machine that
    // may take several requests.
    const ten = async () => {
      const before = count()
      for (let n = 0; n < 10; n++) t.equal((await ask(port, '/pid.php')).status, 200)
      return count() - before
    }
    let made = 10
    for (let round = 0; round < 50 && made > 0; round++) made = await ten()
    t.equal(made, 0)
  })

  await eachAdapter(t, '16 clients on two workers', async (t, adapter) => {
    const { port } = await startAdapter(t, adapter, options)
    const clients = await Promise.all(Array.from({ length: 16 }, () => runClient(port)))
    const times = clients.flatMap(({ times }) => times).sort((a, b) => a - b)
    const mean = times.length / clients.length
    t.equal(
      clients.reduce((sum, { failures }) => sum + failures, 0),
      0,
      'no failures',
    )
    for (const { times } of clients)
      t.ok(Math.abs(times.length - mean) <= mean / 4, `${times.length} of ${mean} on average`)
    const [median, late] = [percentile(times, 0.5), percentile(times, 0.99)]
    t.ok(late < 20 * median, `p50 ${median.toFixed(1)} ms, p99 ${late.toFixed(1)} ms`)
  })

  await t.test('two gateways that know nothing of each other', async (t) => {
    const gateways = await Promise.all([
      forkGateway(t, 'fastify', options),
      forkGateway(t, 'http', options),
    ])
    const results = await Promise.all(
      gateways.map(({ port }) => Promise.all(Array.from({ length: 8 }, () => runClient(port)))),
    )
    const times = results.map((clients) => clients.flatMap(({ times }) => times))
    const failures = results.flat().reduce((sum, client) => sum + client.failures, 0)
    const total = times.flat().length
    t.equal(failures, 0, 'no failures')
    for (const { length } of times) t.ok(length >= total * 0.3, `${length} of ${total} answers`)
    const longest = Math.max(...times.flat())
    t.ok(longest < scaled(2000), `the longest took ${longest.toFixed(1)} ms`)
  })
})

interface ClientResult {
  /** Milliseconds of each answer. */
  times: number[]
  failures: number
}

/** One request after the other on one connection, for two seconds. */
async function runClient(port: number): Promise<ClientResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const result: ClientResult = { times: [], failures: 0 }
  const end = performance.now() + SECONDS_2
  for (let now = performance.now(); now < end; ) {
    const started = now
    const answer = await ask(port, '/pid.php', { agent }).catch(() => undefined)
    now = performance.now()
    if (answer?.status === 200) result.times.push(now - started)
    else result.failures++
  }
  agent.destroy()
  return result
}

function percentile(sorted: number[], part: number): number {
  return sorted[Math.floor(sorted.length * part)] ?? 0
}
