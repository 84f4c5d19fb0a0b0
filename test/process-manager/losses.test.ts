/** What is lost when processes come and go: nothing, but what a killed one was running. */
import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  application,
  ask,
  compileResponder,
  managed,
  NEEDS_LIBFCGI,
} from '../helpers/applications.ts'
import { until } from '../helpers/wait.ts'

t.test('kill -9: what it was running is lost, and nothing else', NEEDS_LIBFCGI, async (t) => {
  const { manager, log } = managed(t, {
    ...application('libfcgi (C)').options(),
    processes: 3,
    initStartDelay: 0,
    restartDelay: 10,
  })
  const failures: string[] = []
  let over = false
  let answered = 0
  const clients = Array.from({ length: 12 }, async () => {
    while (!over)
      await ask(manager, { WAIT: '2', REQUEST_METHOD: 'POST', CONTENT_LENGTH: '0' }).then(
        () => answered++,
        (error) => failures.push(error.code),
      )
  })
  let kills = 0
  while (kills < 20) {
    const busy = manager.processes.find(
      ({ load, served, pid, state }) =>
        state === 'running' && load > 0 && served > 0 && pid !== undefined,
    )
    if (busy?.pid !== undefined) {
      process.kill(busy.pid, 'SIGKILL')
      kills++
      const exits = log.events.filter(({ event }) => event !== 'started').length
      await until(
        'its end',
        () => log.events.filter(({ event }) => event !== 'started').length > exits,
      )
    }
    const before = answered
    await until('more answers', () => answered >= before + 20)
  }
  over = true
  await Promise.all(clients)
  t.ok(failures.length <= kills, `${failures.length} of ${answered} failed by ${kills} kills`)
  t.same(
    failures.filter((code) => code !== 'FCGI_PREMATURE_CLOSE' && code !== 'FCGI_OVERLOADED'),
    [],
  )
  t.ok(log.lines.some((line) => line.includes('was ended by SIGKILL')))
})

t.test(
  'a request that may be repeated is not even lost with its process',
  NEEDS_LIBFCGI,
  async (t) => {
    const { manager } = managed(t, {
      ...application('libfcgi (C)').options(),
      processes: 2,
      initStartDelay: 0,
    })
    await Promise.all([1, 2, 3, 4].map(() => ask(manager, { WAIT: '20' })))
    const answer = ask(manager, { WAIT: '200', REQUEST_METHOD: 'GET' })
    await until('a process that has it', () => manager.processes.some(({ load }) => load === 1))
    const victim = manager.processes.find(({ load }) => load === 1)?.pid as number
    process.kill(victim, 'SIGKILL')
    t.not(await answer, victim)
  },
)

for (const name of ['libfcgi (C)', 'FCGI (Perl)', 'php-cgi'] as const) {
  const { needs, options, params } = application(name)
  t.test(`restart() under load: ${name}`, needs, async (t) => {
    for (const processes of [1, 3])
      t.test(`${processes} processes`, (t) => restarted(t, { ...options(), processes }, params))
  })
}

async function restarted(
  t: Test,
  options: Parameters<typeof managed>[1],
  params: Record<string, string>,
): Promise<void> {
  const { manager, log } = managed(t, { ...options, initStartDelay: 0 })
  const failures: string[] = []
  let over = false
  let answered = 0
  const clients = Array.from({ length: 8 }, async () => {
    while (!over)
      await ask(manager, { ...params, REQUEST_METHOD: 'POST', CONTENT_LENGTH: '0' }).then(
        () => answered++,
        (error) => failures.push(String(error)),
      )
  })
  for (let n = 0; n < 10; n++) {
    const before = answered
    await until('answers', () => answered > before + 5)
    await manager.restart()
  }
  over = true
  await Promise.all(clients)
  t.same(failures, [])
  t.same(
    log.events.filter(({ event }) => event !== 'started' && event !== 'stopped'),
    [],
    'all ended because they were told',
  )
  t.ok(log.events.filter(({ event }) => event === 'started').length > 10)
}

t.test('autoUpdate: a new program takes over, nothing is lost', NEEDS_LIBFCGI, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const program = join(directory, 'responder')
  copyFileSync(compileResponder(), program)
  const { manager, log } = managed(t, {
    command: [program],
    processes: 2,
    initStartDelay: 0,
    autoUpdate: true,
  })
  const failures: string[] = []
  let over = false
  const clients = Array.from({ length: 6 }, async () => {
    while (!over)
      await ask(manager, { WAIT: '1', REQUEST_METHOD: 'POST', CONTENT_LENGTH: '0' }).catch(
        (error) => failures.push(String(error)),
      )
  })
  const started = (): number => log.events.filter(({ event }) => event === 'started').length
  await until('the first ones', () => started() === 2)
  copyFileSync(program, `${program}.new`)
  renameSync(`${program}.new`, program)
  await until('new ones', () => started() === 4, 20_000)
  over = true
  await Promise.all(clients)
  t.same(failures, [])
  t.ok(log.lines.some((line) => line.includes('changed on disk')))
})

t.test('close(): what was asked before is answered', NEEDS_LIBFCGI, async (t) => {
  const { manager } = managed(t, { ...application('libfcgi (C)').options(), processes: 2 })
  const answers = Array.from({ length: 10 }, () => ask(manager, { WAIT: '20' }))
  const closed = manager.close()
  await t.rejects(ask(manager, {}), { code: 'FCGI_CLOSED' })
  t.equal((await Promise.all(answers)).length, 10)
  await closed
})
