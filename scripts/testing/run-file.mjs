// Runs one file of tests in a process of its own, and reads the TAP that it writes.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Parser } from 'tap-parser'
import { FinishedTests } from './cut-off.mjs'
import { compiled } from './files.mjs'

/** How long a file may take on an idle machine, in milliseconds. */
const FILE_LIMIT = Number(process.env.FCGI_TEST_FILE_LIMIT ?? 60) * 1000
/** How long it may take to end after it was told that its time is up. */
const END_LIMIT = 5_000
/** How many characters of what it wrote to stderr are kept. */
const STDERR_LIMIT = 4_000

/**
 * @returns what came of it: `file`, `passed`, `skipped` (reasons), `milliseconds`, `stderr`, and `failures` as tap-parser
 * gives them, each with `fullname` and `diag`.
 */
export async function runFile(file, machine) {
  const started = performance.now()
  const result = { file, passed: 0, skipped: [], failures: [], stderr: '', milliseconds: 0 }
  const child = start(file, machine.slowness)
  child.stderr.setEncoding('utf8').on('data', (text) => {
    result.stderr = (result.stderr + text).slice(-STDERR_LIMIT)
  })
  const parser = new Parser()
  const finished = new FinishedTests(parser)
  const limit = limitTime(child, started, machine)
  const [final, [code, signal]] = await Promise.all([
    parse(child.stdout, parser, result),
    once(child, 'close'),
  ])
  limit.stop()
  result.milliseconds = performance.now() - started
  if (limit.expired) result.failures = finished.failures(result.failures, result.milliseconds)
  else if (result.failures.length === 0 && (!final.ok || code !== 0))
    result.failures.push(endedEarly(final, code ?? signal))
  return result
}

function start(file, slowness) {
  const env = {
    ...process.env,
    TAP: '1',
    // This program ends what takes too long.
    TAP_TIMEOUT: '0',
    FCGI_TEST_SLOWNESS: String(slowness),
  }
  return spawn(process.execPath, ['--enable-source-maps', compiled(file)], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Counts what passed, as tap does, and collects the rest. */
function parse(stdout, parser, result) {
  parser.on('pass', () => result.passed++)
  parser.on('fail', (failure) => result.failures.push(failure))
  for (const kind of ['skip', 'todo'])
    parser.on(kind, (test) => result.skipped.push(String(test[kind])))
  const complete = once(parser, 'complete')
  stdout.pipe(parser)
  return complete.then(([final]) => final)
}

/** Ends a file that takes too long; the limit grows while the machine gets slower. */
function limitTime(child, started, machine) {
  const limit = { expired: false, stop: () => clearInterval(timer) }
  const timer = setInterval(() => {
    if (performance.now() - started < FILE_LIMIT * machine.slowness) return
    limit.stop()
    limit.expired = true
    // tap fails the tests that are running, and ends.
    child.kill('SIGALRM')
    setTimeout(() => child.kill('SIGKILL'), END_LIMIT).unref()
  }, 500)
  return limit
}

function endedEarly(final, status) {
  const [error] = final.failures
  const reason = error?.tapError ?? error?.name ?? 'before its tests were through'
  const name = `ended with ${status}: ${reason}`
  return { name, fullname: name, diag: null }
}
