/** Slow scripts and scripts that work on after their response, on a real php-fpm: they hold up nobody beside idle workers. */
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FastCGIClient, type PoolOptions } from '@fastcgi/client'
import t, { type Test } from 'tap'
import { forkGateway } from '../helpers/php-gateway.ts'
import { ask } from '../helpers/php-http.ts'
import { NEEDS_FPM, phpFpm } from '../helpers/php-site.ts'
import { scaled } from '../helpers/time-limit.ts'
import { delay, until } from '../helpers/wait.ts'
import { temporary } from '../helpers/web-server.ts'

const SCRIPTS = {
  'quick.php': '<?php echo "quick";',
  'slow.php': '<?php usleep(1000 * (int) $_SERVER["QUERY_STRING"]); echo "slow";',
  'finish.php':
    '<?php echo "early"; fastcgi_finish_request(); usleep(1000 * (int) $_SERVER["QUERY_STRING"]);',
  'asks-itself.php': `<?php echo "early"; fastcgi_finish_request();
    file_put_contents(__DIR__ . "/answer", file_get_contents("http://127.0.0.1:$_SERVER[SERVER_PORT]/quick.php"));`,
}

async function site(t: Test, children: number) {
  const root = temporary(t)
  chmodSync(root, 0o777)
  for (const [name, text] of Object.entries(SCRIPTS)) writeFileSync(join(root, name), text)
  const php = await phpFpm(t, { children })
  return { root, address: php.address }
}

async function siteAndClient(t: Test, children: number, options: PoolOptions = {}) {
  const { root, address } = await site(t, children)
  const client = new FastCGIClient(address, options)
  t.teardown(() => client.destroy())
  /** Runs a script; returns how many milliseconds it took. */
  const run = async (name: string, query: number | string = '', method = 'GET') => {
    const begun = performance.now()
    const params = {
      REQUEST_METHOD: method,
      QUERY_STRING: `${query}`,
      SCRIPT_NAME: `/${name}`,
      SCRIPT_FILENAME: join(root, name),
    }
    const response = await client.request({ params })
    await response.bytes()
    t.equal(response.status, 200)
    return performance.now() - begun
  }
  return { client, run }
}

type Run = Awaited<ReturnType<typeof siteAndClient>>['run']

const HISTORIES: Record<string, (run: Run) => Promise<unknown>> = {
  none: async () => {},
  'a slow script beside quick ones': async (run) => {
    const slow = run('slow.php', 300)
    for (let n = 0; n < 20; n++) await run('slow.php', 1)
    await slow
  },
  'more clients than workers': (run) =>
    Promise.all(
      Array.from({ length: 64 }, async () => {
        for (let n = 0; n < 20; n++) await run('quick.php')
      }),
    ),
  'scripts with after-work': async (run) => {
    for (let n = 0; n < 10; n++) await run('finish.php', 20)
    await delay(50)
  },
}

for (const [history, before] of Object.entries(HISTORIES))
  t.test(`24 children, 24 requests of 1 s after: ${history}`, NEEDS_FPM, async (t) => {
    // With a queueTimeout that a request queued behind another one would exceed.
    const { run } = await siteAndClient(t, 24, { queueTimeout: scaled(900) })
    await before(run)
    const begun = performance.now()
    await Promise.all(Array.from({ length: 24 }, () => run('slow.php', 1000)))
    const took = performance.now() - begun
    t.ok(took < 1000 + scaled(300), `took ${took.toFixed()} ms`)
  })

t.test('POST, finish, 75 s of work on one of 12 children, and a visitor', NEEDS_FPM, async (t) => {
  const { run, client } = await siteAndClient(t, 12)
  for (let n = 0; n < 3; n++) {
    await run('finish.php', 75_000, 'POST')
    for (let m = 0; m < 3; m++) {
      const took = await run('quick.php')
      t.ok(took < scaled(100), `${took.toFixed(1)} ms`)
    }
  }
  t.ok(client.stats.connections >= 3, 'three workers are held')
})

t.test('quick requests beside after-work: known by name', NEEDS_FPM, async (t) => {
  const { run, client } = await siteAndClient(t, 4)
  for (let round = 0; round < 3; round++) {
    await run('finish.php', 300)
    const times = await Promise.all(Array.from({ length: 3 }, () => run('quick.php')))
    t.ok(Math.max(...times) < scaled(150), `${times.map((time) => time.toFixed(1))} ms`)
    await delay(scaled(350))
  }
  t.match(client.stats.afterWork, [{ script: /finish\.php$/, idempotent: true }])
})

t.test('a script that finishes and then asks its own site', NEEDS_FPM, async (t) => {
  const { root, address } = await site(t, 2)
  const { port } = await forkGateway(t, 'http', { upstream: address, root })
  for (let n = 0; n < 3; n++) {
    const begun = performance.now()
    t.match(await ask(port, '/asks-itself.php'), { status: 200 })
    const answer = join(root, 'answer')
    await until('the answer', () => existsSync(answer) && readFileSync(answer, 'utf8') === 'quick')
    const took = performance.now() - begun
    t.ok(took < scaled(1000), `the answer took ${took.toFixed()} ms`)
    writeFileSync(answer, '')
  }
})

for (const [afterWork, duration] of [
  [5, 1500],
  [100, 2000],
  [3000, 5000],
] as const)
  t.test(`each third request has ${afterWork} ms of after-work`, NEEDS_FPM, async (t) => {
    // A gateway without reuse gives the workers their requests as nginx does without keep-alive.
    const results = [true, false].map((reuse) => ({ reuse, times: [] as number[] }))
    for (const { reuse, times } of results) {
      const { root, address } = await site(t, 4)
      const { port } = await forkGateway(t, 'http', { upstream: address, root, reuse })
      times.push(...(await quickTimes(port, afterWork, duration)))
      times.sort((one, other) => one - other)
    }
    const [own, other] = results.map(({ times }) => times) as [number[], number[]]
    // Of few answers on a busy machine, the slowest say little.
    const part = afterWork < 1000 ? 0.5 : 0.99
    const [late, otherLate] = [quantile(own, part), quantile(other, part)]
    const text = `${own.length} quick answers, quantile ${part} ${late.toFixed(1)} ms; without reuse ${other.length}, ${otherLate.toFixed(1)} ms`
    t.comment(text)
    t.ok(late < 1.5 * otherLate + scaled(20), text)
    t.ok(own.length > 0.5 * other.length, text)
  })

const quantile = (sorted: number[], part: number): number =>
  sorted[Math.floor(sorted.length * part)] ?? 0

/** Eight clients, each third request of each with after-work; returns how long the others took. */
async function quickTimes(port: number, afterWork: number, duration: number): Promise<number[]> {
  const times: number[] = []
  const end = performance.now() + duration
  const client = async (_: unknown, first: number) => {
    for (let n = first; performance.now() < end; n++) {
      const begun = performance.now()
      const path = n % 3 === 0 ? `/finish.php?${afterWork}` : '/quick.php'
      await ask(port, path, { limit: 60_000 })
      if (n % 3 !== 0) times.push(performance.now() - begun)
    }
  }
  await Promise.all(Array.from({ length: 8 }, client))
  return times
}
