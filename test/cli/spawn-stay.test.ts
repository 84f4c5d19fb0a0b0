/** `fastcgi spawn`: what goes wrong, sockets in use, and programs in the foreground. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { compileResponder, NEEDS_LIBFCGI } from '../helpers/applications.ts'
import { isRunning } from '../helpers/manager-process.ts'
import { answerOf, directoryOf, ENV, OURS, run } from '../helpers/spawn-command.ts'
import { until, within } from '../helpers/wait.ts'

t.test('what goes wrong', NEEDS_LIBFCGI, async (t) => {
  const directory = directoryOf(t)
  const wrong = (words: string[], status: number, message: RegExp): void => {
    const result = run([...OURS, ...words], directory)
    t.equal(result.status, status, words.join(' '))
    t.match(result.stderr, message)
  }
  wrong([], 2, /either a port \(-p\) or a socket \(-s\)/)
  wrong(['-s', 's', '-p', '1'], 2, /either a port/)
  wrong(['-s', 's'], 2, /no program to start/)
  wrong(['-s', 's', '-M', '999', '--', 'x'], 2, /-M must be an octal mode/)
  wrong(['-p', '70000', '--', 'x'], 2, /-p must be a whole number, 1 to 65535/)
  wrong(['-s', 's', '-x'], 2, /Unknown option '-x'/)
  wrong(['-s', 's', '--', '/no/such'], 2, /\/no\/such does not exist/)
  wrong(['-s', 's', '--', '/bin/sh', '-c', 'exit 7'], 7, /ended with exit code 7/)
  t.notOk(existsSync(join(directory, 's')), 'the socket of a program that did not start is gone')
  wrong(['-s', 'x'.repeat(100), '--', '/bin/true'], 2, /socket path takes at most/)
  t.match(run([...OURS, '-h'], directory).stdout, /--supervise/)
  t.match(run([...OURS, '-?'], directory).stdout, /--supervise/)
  t.match(run([...OURS, '-v'], directory).stdout, /^\d+\.\d+\.\d+(-rc\.\d+)?$/m)
})

t.test(
  'a socket in use is left alone, one that nobody listens on is replaced',
  NEEDS_LIBFCGI,
  async (t) => {
    const directory = directoryOf(t)
    const words = ['-s', 's', '-P', 'pids', '--', compileResponder()]
    t.equal(run([...OURS, ...words], directory).status, 0)
    const pid = Number(readFileSync(join(directory, 'pids'), 'utf8'))
    const second = run([...OURS, '-s', 's', '--', compileResponder()], directory)
    t.equal(second.status, 1)
    t.match(second.stderr, /somebody else does/)
    t.equal(await answerOf(`unix:${directory}/s`), pid)
    process.kill(pid, 'SIGKILL')
    await until('its end', () => !isRunning(pid))
    t.equal(run([...OURS, ...words], directory).status, 0)
    const next = Number(readFileSync(join(directory, 'pids'), 'utf8'))
    t.equal(await answerOf(`unix:${directory}/s`), next)
    process.kill(next, 'SIGTERM')
    await until('its end', () => !isRunning(next))
  },
)

/** `fastcgi spawn` that stays. */
function stay(t: Test, words: string[], directory: string) {
  const [file = '', ...args] = [...OURS, ...words]
  const child = spawn(file, args, { cwd: directory, env: ENV, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  const output = { text: '' }
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      output.text += text
    })
  return { child, output, exited: once(child, 'exit') }
}

t.test('-n: stays, with its output, and ends as the program does', NEEDS_LIBFCGI, async (t) => {
  const directory = directoryOf(t)
  const { output, exited } = stay(
    t,
    ['-n', '-s', 's', '--', '/bin/sh', '-c', 'echo hello; exit 7'],
    directory,
  )
  t.same(await within('its end', exited), [7, null])
  t.match(output.text, 'hello')

  const { child, exited: ended } = stay(t, ['-n', '-s', 's', '--', compileResponder()], directory)
  await until('its socket', () => existsSync(join(directory, 's')))
  const pid = await answerOf(`unix:${directory}/s`)
  child.kill('SIGTERM')
  t.same(await within('its end', ended), [0, null])
  t.notOk(isRunning(pid))
  t.notOk(existsSync(join(directory, 's')))
})

t.test(
  '--supervise: starts again, ends all when told, also when it is killed',
  NEEDS_LIBFCGI,
  async (t) => {
    const directory = directoryOf(t)
    const words = ['--supervise', '-F', '2', '-s', 's', '--', compileResponder()]
    const { child, output, exited } = stay(t, words, directory)
    const started = (): number[] =>
      [...output.text.matchAll(/started, pid (\d+)/g)].map(([, pid]) => Number(pid))
    await until('both', () => started().length === 2)
    process.kill(started()[0] as number, 'SIGKILL')
    await until('a third one', () => started().length === 3)
    t.match(output.text, /was ended by SIGKILL; started again in \d+ ms/)
    t.ok(started().includes(await answerOf(`unix:${directory}/s`)))
    child.kill('SIGTERM')
    t.same(await within('its end', exited), [0, null])
    t.notOk(started().some(isRunning))

    const second = stay(t, words, directory)
    const pids = (): number[] =>
      [...second.output.text.matchAll(/started, pid (\d+)/g)].map(([, pid]) => Number(pid))
    await until('both', () => pids().length === 2)
    second.child.kill('SIGKILL')
    await until('their end', () => !pids().some(isRunning))
    await until('the end of the socket', () => !existsSync(join(directory, 's')))
  },
)
