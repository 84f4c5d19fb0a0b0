/** Programs that do not start, or hang: what is said, what is refused, and that it costs nothing. */
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { application, ask, managed, NEEDS_LIBFCGI } from '../helpers/applications.ts'
import { until, within } from '../helpers/wait.ts'

/** A program of one's own, gone after the test. */
function program(t: Test, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'program')
  writeFileSync(file, text)
  chmodSync(file, 0o755)
  return file
}

/** Milliseconds until the next try, as the log announced them at each failure but the last, whose lines may be incomplete. */
function announcedDelays(lines: readonly string[]): number[] {
  const delays: number[] = []
  for (const line of lines) {
    const [, failure, delay] = /failure (\d+), next try in (\d+) ms/.exec(line) ?? []
    // Two processes that fail together announce one delay; the later of them has less of it left.
    const at = Number(failure) - 1
    if (failure !== undefined) delays[at] = Math.max(delays[at] ?? 0, Number(delay))
  }
  return delays.slice(0, -1)
}

t.test('dies at start: growing delays, 503 at once, its last words in the log', async (t) => {
  const command = [program(t, '#!/bin/sh\necho "cannot open the database" >&2\nexit 3\n')]
  const begun = performance.now()
  const { manager, log } = managed(t, {
    command,
    processes: 2,
    restartDelay: 40,
    initStartDelay: 0,
    timeout: 60_000,
  })
  const failures = (): number => log.events.filter(({ event }) => event === 'failed').length
  await within('a refusal', t.rejects(ask(manager, {}), { code: 'FCGI_OVERLOADED' }))
  await until('six failures', () => failures() >= 6, 30_000)
  const elapsed = performance.now() - begun
  await t.rejects(ask(manager, {}), {
    code: 'FCGI_OVERLOADED',
    message:
      /no process of program runs; the next try is in \d+ ms.*exit code 3.*cannot open the database/,
  })
  const delays = announcedDelays(log.lines)
  t.ok(delays.length >= 3, 'several delays are in the log', { delays })
  for (const [at, delay] of delays.entries())
    t.ok(Math.abs(delay - 40 * 2 ** at) <= 1, `delay ${at + 1} is twice the one before`, { delays })
  const kept = delays.reduce((sum, delay) => sum + delay, 0)
  t.ok(elapsed >= kept - delays.length, 'they were kept', { elapsed, delays })
  await until('the log', () =>
    log.lines.some((line) => line.includes('it said: cannot open the database')),
  )
  t.ok(log.lines.some((line) => /program-\d\[\d+\]: cannot open the database/.test(line)))
})

t.test('recovers when the program does', NEEDS_LIBFCGI, async (t) => {
  const good = application('libfcgi (C)').options().command[0]
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const command = [program(t, `#!/bin/sh\n[ -e ${directory}/ready ] && exec ${good}\nexit 1\n`)]
  const { manager, log } = managed(t, {
    command,
    processes: 2,
    restartDelay: 20,
    maxRestartDelay: 50,
  })
  await until(
    'three failures',
    () => log.events.filter(({ event }) => event === 'failed').length >= 3,
  )
  writeFileSync(join(directory, 'ready'), '')
  await until('a process that has lived', () =>
    manager.processes.some(({ state }) => state === 'running'),
  )
  await ask(manager, {})
  await until('both', () => manager.processes.every(({ state }) => state === 'running'))
})

t.test('reasons in words', async (t) => {
  const reason = async (command: string[], options: object = {}): Promise<string> => {
    const { log } = managed(t, { command, restartDelay: 60_000, ...options })
    await until('an event', () => log.events.some(({ event }) => event === 'failed'))
    return log.events.find(({ event }) => event === 'failed')?.reason ?? ''
  }
  t.match(
    await reason([program(t, '#!/no/such/interpreter\n')]),
    /its interpreter \/no\/such\/interpreter does not exist/,
  )
  t.match(await reason(['/bin/true']), /without accepting a connection: is it a FastCGI program/)
  t.match(await reason([program(t, '#!/bin/sh\nkill -SEGV $$\n')]), /was ended by SIGSEGV/)
  t.match(
    await reason([program(t, '#!/bin/sh\nnothing-of-that-name\n')]),
    /exit code 127: something it starts was not found/,
  )
})

t.test('its directory goes away', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  const { manager, log } = managed(t, {
    command: ['/bin/sleep', '60'],
    cwd: directory,
    restartDelay: 1,
  })
  await until('a start', () => log.events.length > 0)
  rmSync(directory, { recursive: true })
  process.kill(manager.processes[0]?.pid as number, 'SIGKILL')
  await until('the reason', () =>
    log.events.some(({ reason }) => reason?.includes(`its directory ${directory} does not exist`)),
  )
})

t.test('a process that hangs is killed when its request times out', NEEDS_LIBFCGI, async (t) => {
  const { manager, log } = managed(t, {
    ...application('libfcgi (C)').options(),
    timeouts: { head: 200 },
    restartDelay: 1,
  })
  const pid = await ask(manager, {})
  await t.rejects(ask(manager, { WAIT: '60000' }), { code: 'FCGI_TIMEOUT' })
  t.not(await ask(manager, {}), pid, 'the next request has another one')
  t.same(
    log.events.map(({ event }) => event),
    ['started', 'hung', 'exited', 'started'],
  )
})

t.test('one that does not end when told is killed with all it has started', async (t) => {
  const text = '#!/bin/sh\ntrap "" TERM\nsleep 60 &\necho "child $!" >&2\nwait\nsleep 60\n'
  const { manager, log } = managed(t, { command: [program(t, text)], killTimeout: 300 })
  await until('its child', () => log.lines.some((line) => line.includes('child ')))
  const child = Number(/child (\d+)/.exec(log.lines.join('\n'))?.[1])
  await within('the end', manager.close())
  await until('the end of its child', () => !existsProcess(child))
})

function existsProcess(pid: number): boolean {
  return readdirSync('/proc').includes(String(pid))
}

t.test('a queue that is full, a wait that is too long', NEEDS_LIBFCGI, async (t) => {
  const options = application('libfcgi (C)').options()
  const { manager } = managed(t, { ...options, maxQueue: 1, timeout: 100 })
  await ask(manager, {})
  const running = ask(manager, { WAIT: '1000' })
  const waiting = ask(manager, {})
  await t.rejects(ask(manager, {}), { code: 'FCGI_OVERLOADED', message: /option maxQueue/ })
  await t.rejects(waiting, { code: 'FCGI_OVERLOADED', message: /waited 100 ms, option timeout/ })
  await running
  t.equal(manager.stats.failed, 2)
})
