/** The program under a process manager, as php-cgi is. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { phpWasm } from '@fastcgi/php-wasm'
import t, { type Test } from 'tap'
import { ask, FIXTURES, managed } from '../helpers/applications.ts'
import { familyOf, forkManager, isRunning } from '../helpers/manager-process.ts'
import { until } from '../helpers/wait.ts'

const params = { REQUEST_METHOD: 'GET', SCRIPT_FILENAME: join(FIXTURES, 'responder.php') }
const options = { ...phpWasm(), processes: 2, initStartDelay: 0 }

/** What they leave in the temporary directory when they are killed goes with the test. */
function optionsFor(t: Test) {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return { ...options, env: { ...options.env, TMPDIR: directory } }
}

t.test('two processes, one request each at a time; one is killed, and comes back', async (t) => {
  const { manager, log } = managed(t, optionsFor(t))
  const waiting = { ...params, WAIT: '300' }
  const pids = await Promise.all([ask(manager, waiting), ask(manager, waiting)])
  t.equal(new Set(pids).size, 2)
  process.kill(pids[0] as number, 'SIGKILL')
  await until('its end', () => log.events.some(({ event }) => event === 'exited'))
  await until('another one', () => manager.processes.every(({ pid }) => pid !== undefined))
  const after = await Promise.all([ask(manager, waiting), ask(manager, waiting)])
  t.equal(new Set(after).size, 2)
  t.notOk(after.includes(pids[0] as number))
})

t.test('SIGKILL of the manager', async (t) => {
  const { child, exited } = await forkManager(t, { options: optionsFor(t), params })
  // The manager, its reaper, two processes.
  await until('all of them', () => familyOf(child.pid as number).length === 4)
  const family = familyOf(child.pid as number)
  child.kill('SIGKILL')
  await exited
  await until('the end of all', () => !family.some(isRunning))
})
