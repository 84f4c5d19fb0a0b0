/** Starts that fail before there is a process: what is told, and that nothing else is harmed. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { phpFpm } from '@fastcgi/process-manager'
import t, { type Test } from 'tap'
import {
  application,
  ask,
  compileResponder,
  managed,
  NEEDS_LIBFCGI,
} from '../helpers/applications.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { scaled } from '../helpers/time-limit.ts'
import { until, within } from '../helpers/wait.ts'

nothingEscapes()

/** A program of one's own, gone after the test. */
function program(t: Test, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'program')
  writeFileSync(file, text)
  chmodSync(file, 0o755)
  return file
}

t.test('prepare that throws is a failed start', NEEDS_LIBFCGI, async (t) => {
  let broken = true
  let calls = 0
  const { manager, log } = managed(t, {
    ...application('libfcgi (C)').options(),
    restartDelay: 20,
    minServerLife: 0,
    prepare: () => {
      calls++
      if (broken) throw new Error('there is no configuration')
      return {}
    },
  })
  const message = /could not be started: option prepare threw: there is no configuration/
  await t.rejects(ask(manager, {}), { code: 'FCGI_OVERLOADED', message })
  await until('another try', () => calls >= 2)
  t.match(log.events[0], { event: 'failed', pid: undefined, reason: message })
  t.ok(log.lines.some((line) => message.test(line)))
  broken = false
  await until('a process', () => manager.processes[0]?.state === 'running')
  const first = await ask(manager, {})

  broken = true
  await manager.restart().catch(() => {})
  broken = false
  await until('a process', () => manager.processes[0]?.state === 'running')
  const second = await ask(manager, {})
  t.not(second, first)
  await manager.restart()
  t.not(await ask(manager, {}), second, 'a later restart is none the worse for it')
})

t.test('prepare is called once for each child', NEEDS_LIBFCGI, async (t) => {
  let calls = 0
  const { manager, log } = managed(t, {
    ...application('libfcgi (C)').options(),
    prepare: () => {
      calls++
      return {}
    },
  })
  for (let n = 1; n <= 3; n++) {
    const pid = await ask(manager, {})
    process.kill(pid, 'SIGKILL')
    await until('the next one', () => log.events.length === 1 + 2 * n)
  }
  t.equal(calls, 4)
})

t.test('phpFpm() on TCP', async (t) => {
  const options = { ...phpFpm({ program: '/bin/sleep', user: 'www-data' }), restartDelay: 60_000 }
  const { manager } = managed(t, { ...options, listen: '127.0.0.1:19877' })
  await t.rejects(ask(manager, {}), { message: /must be the path of a unix socket/ })
})

t.test('a script with CR LF', async (t) => {
  const reason = async (text: string): Promise<string> => {
    const command = [program(t, text)]
    const { manager, log } = managed(t, { command, restartDelay: 60_000 })
    await t.rejects(ask(manager, {}), { message: /CR LF/ })
    return log.events.find(({ event }) => event === 'failed')?.reason ?? ''
  }
  const interpreter = await reason('#!/bin/sh\r\nexit 3\r\n')
  t.match(interpreter, /the first line of .* ends with CR LF, so the name of its interpreter is/)
  t.match(await reason('#!/usr/bin/env sh\r\nexit 3\r\n'), /exit code 127: .* ends with CR LF/)
})

t.test('the first request is told the last words of the program, as later ones are', async (t) => {
  const command = [
    program(t, '#!/bin/sh\nsleep 0.1\necho "cannot open the database" >&2\nexit 3\n'),
  ]
  for (const processes of [1, 3]) {
    const { manager } = managed(t, { command, processes, restartDelay: 60_000 })
    const said = {
      code: 'FCGI_OVERLOADED',
      message: /exit code 3; it said: cannot open the database/,
    }
    const first = [ask(manager, {}), ask(manager, {}), ask(manager, {}), ask(manager, {})]
    await within('refusals', Promise.all(first.map((answer) => t.rejects(answer, said))))
    await t.rejects(ask(manager, {}), said)
  }
})

t.test('no more file descriptors', NEEDS_LIBFCGI, async (t) => {
  const script = `
import { closeSync, openSync } from 'node:fs'
import { createProcessManager } from '${import.meta.resolve('@fastcgi/process-manager')}'
setInterval(() => {}, 60_000)
const held = []
const exhaust = () => {
  try {
    for (;;) held.push(openSync('/dev/null'))
  } catch {}
}
const release = () => held.splice(0).forEach(closeSync)
const reasons = []
exhaust()
const manager = createProcessManager({
  command: ['${compileResponder()}'],
  restartDelay: 50,
  logger: { info() {}, warn() {}, error: (details, message) => reasons.push(message) },
})
const once = (name) => new Promise((resolve) => {
  const off = manager.onProcess(({ event }) => event === name && (off(), resolve()))
})
const running = async () => {
  while (manager.processes[0]?.state !== 'running')
    await new Promise((resolve) => setTimeout(resolve, 5))
}
const ask = () => manager.request({ params: { REQUEST_METHOD: 'GET' } }).then((response) => response.text())
await once('failed')
release()
await running()
const first = await ask()
exhaust()
process.kill(Number(first), 'SIGKILL')
await once('failed')
release()
await running()
const second = await ask()
await manager.close()
console.log(JSON.stringify({ first, second, reasons }))
process.exit()
`
  const node = [
    process.execPath,
    '--unhandled-rejections=strict',
    '--input-type=module',
    '-e',
    script,
  ]
  const { stdout, stderr } = spawnSync(
    '/bin/sh',
    ['-c', 'ulimit -n 80; exec "$@"', 'sh', ...node],
    {
      encoding: 'utf8',
      timeout: scaled(30_000),
    },
  )
  t.equal(stderr, '')
  const { first, second, reasons } = JSON.parse(stdout || '{}')
  t.match(first, /^\d+$/)
  t.match(second, /^\d+$/)
  t.not(first, second)
  t.match(reasons?.[0], /EMFILE|too many open files/)
  t.match(reasons?.join('\n'), /could not be started: .*\(EMFILE\)/)
})
