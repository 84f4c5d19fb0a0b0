/** `fastcgi serve --workers`: one port, one PHP, one status page; reload and replacement without a loss. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ask, startHttpLoad } from '../helpers/http-load.ts'
import { type Served, serve, serveWith, stop } from '../helpers/serve-command.ts'
import { PHP_FPM, textOf } from '../helpers/serve-site.ts'
import { until } from '../helpers/wait.ts'

const PORT = ['--port', '0']

/** Process ids of the children of the primary process that are workers. */
function workersOf({ child }: Served): number[] {
  const { pid } = child
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
  const isWorker = (id: string): boolean => {
    try {
      return readFileSync(`/proc/${id}/cmdline`, 'latin1').includes('cli/dist/main.js')
    } catch {
      // It has just ended.
      return false
    }
  }
  return children.filter((id) => id !== '' && isWorker(id)).map(Number)
}

/** Fails with what the command has logged as an error. */
function noErrors(t: Test, { stderr }: Served): void {
  const errors = stderr()
    .split('\n')
    .filter((line) => /"level":[56]0/.test(line))
  t.strictSame(errors, [])
}

t.test('SIGHUP under load: no request fails, the workers are others', PHP_FPM, async (t) => {
  const file = 'fastcgi.config.json'
  const config = (name: string) => JSON.stringify({ env: { NAME: name }, workers: 2 })
  const cwd = t.testdir({
    'index.php': `<?php echo 'ok';`,
    'name.php': `<?php echo $_SERVER['NAME'];`,
    [file]: config('one'),
  })
  const served = await serveWith(t, { cwd, args: PORT })
  t.equal(await ask(`${served.url}/name.php`, false), 'one')
  const load = startHttpLoad(`${served.url}/`, 'ok', 8)
  let before = workersOf(served)
  t.equal(before.length, 2)
  for (const name of ['two', 'three']) {
    await until('answers', () => load.answered() > 20)
    writeFileSync(join(cwd, file), config(name))
    const reloads = served.stderr().split('"reloaded"').length
    served.child.kill('SIGHUP')
    await until('the reload', () => served.stderr().split('"reloaded"').length > reloads)
    t.equal(await ask(`${served.url}/name.php`, false), name)
    const last = before
    await until('the old workers to end', () => !workersOf(served).some((id) => last.includes(id)))
    before = workersOf(served)
    t.equal(before.length, 2)
  }
  const answered = load.answered()
  await until('answers of the new workers', () => load.answered() > answered + 20)
  await load.stop()
  t.strictSame(load.failures, [])
  noErrors(t, served)

  writeFileSync(join(cwd, file), '{ "workers": 0 }')
  served.child.kill('SIGHUP')
  await until('the refusal', () => served.stderr().includes('not reloaded'))
  t.match(
    served.stderr(),
    /not reloaded, all stays as it was: .*fastcgi.config.json:1: option workers must be/,
  )
  t.equal(await ask(`${served.url}/name.php`, false), 'three')
  await stop(t, served)
})

t.test('SIGHUP with other settings of PHP, in a module', PHP_FPM, async (t) => {
  const file = 'fastcgi.config.mjs'
  const config = (memory: string, workers: number) =>
    `export default { workers: ${workers}, php: { ini: { memory_limit: '${memory}' } } }`
  const cwd = t.testdir({
    'index.php': `<?php echo ini_get('memory_limit');`,
    [file]: config('70M', 1),
  })
  const served = await serveWith(t, { cwd, args: PORT })
  t.equal(await ask(`${served.url}/`, false), '70M')
  for (const [memory, workers] of [
    ['80M', 2],
    ['90M', 1],
  ] as const) {
    writeFileSync(join(cwd, file), config(memory, workers))
    const reloads = served.stderr().split('"reloaded"').length
    served.child.kill('SIGHUP')
    await until('the reload', () => served.stderr().split('"reloaded"').length > reloads)
    t.equal(await ask(`${served.url}/`, false), memory)
    await until('its workers', () => workersOf(served).length === workers)
  }
  writeFileSync(join(cwd, file), 'export default {\n\n  workers: none }')
  served.child.kill('SIGHUP')
  await until('the refusal', () => served.stderr().includes('not reloaded'))
  t.match(
    served.stderr(),
    `not reloaded, all stays as it was: ${cwd}/${file}:3: none is not defined`,
  )
  await stop(t, served)
})

t.test('kill -9 of a worker under load: only its requests fail', PHP_FPM, async (t) => {
  const cwd = t.testdir({ 'index.php': `<?php echo 'ok';` })
  const served = await serveWith(t, { cwd, args: [...PORT, '--workers', '2'] })
  const clients = 8
  const load = startHttpLoad(`${served.url}/`, 'ok', clients)
  await until('answers', () => load.answered() > 50)
  const [victim = 0] = workersOf(served)
  process.kill(victim, 'SIGKILL')
  await until('the report', () => served.stderr().includes('another one takes its place'))
  await until('its replacement', () => workersOf(served).length === 2)
  const answered = load.answered()
  await until('answers', () => load.answered() > answered + 50)
  await load.stop()
  // At most one request of each client was with that worker.
  t.ok(load.failures.length <= clients, load.failures.join('\n'))
  t.match(served.stderr(), `worker ${victim} was killed by SIGKILL; another one takes its place`)
  await stop(t, served)
})

t.test('one status page for all workers, for this machine only', PHP_FPM, async (t) => {
  const cwd = t.testdir({ 'index.php': `<?php echo 'ok';` })
  const args = [...PORT, '--workers', '2', '--status-page', '/fcgi-status']
  const served = await serveWith(t, { cwd, args })
  const total = 20
  // A connection each, so that both workers get some.
  for (let n = 0; n < total; n++) {
    const load = startHttpLoad(`${served.url}/`, 'ok', 1)
    await load.stop()
  }
  const page = `${served.url}/fcgi-status`
  const { dispatchers, processes } = JSON.parse(await textOf(`${page}?format=json`))
  t.equal(dispatchers.length, 1)
  t.equal(dispatchers[0].stats.requests, total)
  t.match(processes, [{ state: 'running', pid: Number, age: Number, served: total, load: 0 }])
  t.doesNotThrow(() => process.kill(processes[0].pid, 0), 'it is that of a process')
  const html = await textOf(page)
  t.match(html, 'FastCGI status, 2 workers')
  t.match(html, new RegExp(`<h2>Processes</h2>.*>${processes[0].pid}</td>`, 's'))
  const forwarded = await fetch(page, { headers: { 'x-forwarded-for': '127.0.0.1' } })
  t.equal(forwarded.status, 403)
  t.equal((await fetch(page, { method: 'POST' })).status, 405)
  await stop(t, served)
})

for (const adapter of ['http', 'express', 'fastify'])
  t.test(`the status page shows the cache of all workers: ${adapter}`, PHP_FPM, async (t) => {
    const cwd = t.testdir({
      'index.php': `<?php header('Cache-Control: max-age=60'); echo 'ok';`,
      'fastcgi.config.json': JSON.stringify({ cache: true, adapter, workers: 2 }),
    })
    const args = [...PORT, '--status-page', '/fcgi-status']
    const served = await serveWith(t, { cwd, args })
    for (let n = 0; n < 4; n++) t.equal(await ask(`${served.url}/`, false), 'ok')
    const page = `${served.url}/fcgi-status?format=json`
    const { caches } = JSON.parse(await textOf(page))
    const [{ stats }] = caches
    t.equal(caches.length, 1)
    t.equal(stats.hits + stats.misses, 4)
    await stop(t, served)
  })

t.test('a worker that cannot start ends the command, and says why', async (t) => {
  const root = t.testdir({ 'index.php': '' })
  const args = ['--upstream', 'unix:/none', '--root', root, '--spool-directory', 'relative']
  await t.rejects(serve(t, ...args), /option --spool-directory must be an absolute path/)
})
