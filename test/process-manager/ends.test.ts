/** What ends with a process, what outlives it, and how long the end of a manager takes. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { phpCgi, phpFpm } from '@fastcgi/process-manager'
import t, { type Test } from 'tap'
import { findPhpCgi, findPhpFpm } from '#php'
import { application, ask, managed, NEEDS_LIBFCGI } from '../helpers/applications.ts'
import { familyOf, isRunning } from '../helpers/manager-process.ts'
import { NEEDS_CGI, NEEDS_FPM } from '../helpers/php-site.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { scaled } from '../helpers/time-limit.ts'
import { until, within } from '../helpers/wait.ts'

nothingEscapes()

/** The params of a request for a page that starts a job in the background and answers with its process id. */
function jobPage(t: Test): Record<string, string> {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const script = join(directory, 'job.php')
  writeFileSync(
    script,
    "<?php header('Content-Type: text/plain'); echo exec('sleep 60 > /dev/null 2>&1 & echo $!');\n",
  )
  return { REQUEST_METHOD: 'GET', SCRIPT_FILENAME: script }
}

/** Has the page start a job; it is ended with the test. */
async function startJob(
  t: Test,
  manager: Parameters<typeof ask>[0],
  params: Record<string, string>,
): Promise<number> {
  const job = await ask(manager, params)
  t.teardown(() => {
    if (isRunning(job)) process.kill(job, 'SIGKILL')
  })
  return job
}

t.test(
  'close(): a request that takes too long fails after drainTimeout',
  NEEDS_LIBFCGI,
  async (t) => {
    const { manager } = managed(t, {
      ...application('libfcgi (C)').options(),
      drainTimeout: 300,
      killTimeout: 200,
    })
    await ask(manager, {})
    const running = t.rejects(ask(manager, { WAIT: '60000' }), { code: 'FCGI_CLOSED' })
    const waiting = t.rejects(ask(manager, {}), { code: 'FCGI_CLOSED' })
    await until('the request', () => manager.processes[0]?.load === 1)
    const begun = performance.now()
    await within('the end', manager.close(), 5000)
    t.ok(performance.now() - begun < scaled(2500), `${Math.round(performance.now() - begun)} ms`)
    await Promise.all([running, waiting])
  },
)

t.test('background jobs', NEEDS_CGI, async (t) => {
  const { manager, log } = managed(t, {
    ...phpCgi({ program: findPhpCgi(), maxRequests: 1 }),
    copyEnv: ['PATH'],
  })
  const page = jobPage(t)
  const ended = (): number => log.events.filter(({ event }) => event !== 'started').length
  const first = await startJob(t, manager, page)
  await until('the end of its process', () => ended() === 1)
  t.ok(isRunning(first), 'lives on when its process ends by itself')
  const second = await startJob(t, manager, page)
  await until('the end of its process', () => ended() === 2)
  t.ok(isRunning(second))
  await manager.close()
  t.ok(isRunning(first), 'also when the manager is closed')
})

t.test('background jobs of a process that is told to end', NEEDS_CGI, async (t) => {
  const { manager } = managed(t, phpCgi({ program: findPhpCgi() }))
  const page = jobPage(t)
  const first = await startJob(t, manager, page)
  await manager.restart()
  t.ok(isRunning(first), 'restart() leaves it alone')
  const second = await startJob(t, manager, page)
  await manager.close()
  await until('the end of the job', () => !isRunning(second))
  t.ok(isRunning(first))
})

/** Whether a process has open descriptors: one that is just ending has none, and accepts nothing. */
function hasDescriptors(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).length > 0
  } catch {
    return false
  }
}

/** Kills a master; whether its children have ended when that is reported, and the next request is answered. */
async function killMaster(
  t: Test,
  { manager, log }: ReturnType<typeof managed>,
  children: number,
): Promise<void> {
  const { params } = application('php-cgi')
  for (let n = 0; n < 5; n++) {
    await ask(manager, params)
    const master = manager.processes[0]?.pid as number
    await until('its children', () => familyOf(master).length === 1 + children)
    const family = familyOf(master)
    let left: number[] | undefined
    const unsubscribe = manager.onProcess(({ event }) => {
      if (event === 'exited') left ??= family.filter(hasDescriptors)
    })
    process.kill(master, 'SIGKILL')
    await until('the report', () => left !== undefined)
    unsubscribe()
    t.same(left, [], 'no child is left that could accept a request')
    t.notOk(family.includes(await ask(manager, params)))
  }
  t.same(
    log.events.filter(({ event }) => event === 'failed'),
    [],
  )
}

t.test('the children of a php-cgi that is killed', NEEDS_CGI, async (t) => {
  const options = { ...phpCgi({ program: findPhpCgi() }), env: { PHP_FCGI_CHILDREN: 2 } }
  await killMaster(t, managed(t, options), 2)
})

t.test('the children of a php-fpm that is killed', NEEDS_FPM, async (t) => {
  const user = process.getuid?.() === 0 ? { user: 'www-data' } : {}
  const options = phpFpm({ program: findPhpFpm(), children: 2, ...user })
  await killMaster(t, managed(t, options), 2)
})

t.test('a process that still runs an aborted script is chosen last', NEEDS_CGI, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const script = join(directory, 'long.php')
  const begun = join(directory, 'begun')
  writeFileSync(script, `<?php touch('${begun}'); usleep(4_000_000);\n`)
  const { manager } = managed(t, {
    ...phpCgi({ program: findPhpCgi() }),
    processes: 2,
    initStartDelay: 0,
  })
  await until('both', () => manager.processes.every(({ state }) => state === 'running'))
  const { params } = application('php-cgi')
  const controller = new AbortController()
  const aborted = manager.request({
    params: { REQUEST_METHOD: 'GET', SCRIPT_FILENAME: script },
    signal: controller.signal,
  })
  await until('the script', () => existsSync(begun))
  const busy = manager.processes[0]?.pid as number
  controller.abort()
  await t.rejects(aborted, { code: 'FCGI_ABORTED' })
  const asked = performance.now()
  for (let n = 0; n < 5; n++) t.not(await ask(manager, params), busy)
  t.ok(performance.now() - asked < scaled(3000), 'the other one answers at once')
  const two = { ...params, WAIT: '100' }
  const both = await Promise.all([ask(manager, two), ask(manager, two)])
  t.equal(new Set(both).size, 2, 'it is chosen if the other one is busy')
  t.equal(await ask(manager, params), busy, 'and is the first one again when it has answered')
})
