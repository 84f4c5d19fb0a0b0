/** `fastcgi spawn`, beside spawn-fcgi itself: the same words, the same outcome. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FastCGIClient } from '@fastcgi/client'
import t, { type Test } from 'tap'
import { compileResponder, NEEDS_LIBFCGI } from '../helpers/applications.ts'
import { isRunning } from '../helpers/manager-process.ts'
import { needs } from '../helpers/require-program.ts'
import { scaled } from '../helpers/time-limit.ts'
import { until, within } from '../helpers/wait.ts'

const MAIN = fileURLToPath(new URL('../../../packages/cli/dist/main.js', import.meta.url))
const OURS = [process.execPath, MAIN, 'spawn']
const ORIGINAL = existsSync('/usr/bin/spawn-fcgi') ? ['/usr/bin/spawn-fcgi'] : undefined
const ROOT = process.getuid?.() === 0
const ENV = { PATH: process.env.PATH ?? '', NODE_OPTIONS: '', KEPT: 'yes' }

/** A directory that anybody may enter, gone after the test. */
function directoryOf(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'fcgi-'))
  chmodSync(path, 0o755)
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

function run(
  command: string[],
  cwd: string,
): { status: number | null; stdout: string; stderr: string } {
  const [file = '', ...args] = command
  // Files, not pipes: in a chroot, where there is no /dev/null, spawn-fcgi leaves the program its own output.
  const files = [1, 2].map((at) => join(cwd, `output-${at}`))
  const output = files.map((path) => openSync(path, 'w'))
  const stdio = ['ignore', ...output] as const
  const { status } = spawnSync(file, args, {
    cwd,
    env: ENV,
    timeout: scaled(30_000),
    stdio: [...stdio],
  })
  for (const fd of output) closeSync(fd)
  const [stdout = '', stderr = ''] = files.map((path) => readFileSync(path, 'utf8'))
  return { status, stdout, stderr }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function answerOf(upstream: string): Promise<number> {
  const client = new FastCGIClient(upstream, { reuse: false })
  const response = await client.request({ params: { REQUEST_METHOD: 'GET' } })
  const text = await response.text()
  await client.close()
  return Number(text)
}

/** What can be seen of a program that runs. */
function looks(pid: number, chroot: boolean): object {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  const line = (name: string): string =>
    new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*$`, 'm').exec(status)?.[1] ?? ''
  const environment = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0')
  return {
    uid: line('Uid'),
    gid: line('Gid'),
    groups: line('Groups').split(' ').sort(),
    cwd: readlinkSync(`/proc/${pid}/cwd`),
    root: readlinkSync(`/proc/${pid}/root`),
    environment: environment.filter((item) => /^(KEPT|PHP_FCGI_CHILDREN)=/.test(item)),
    output: chroot ? undefined : [1, 2].map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`)),
  }
}

interface Case {
  name: string
  /** The command line, with SOCKET, PORT, PIDS, DIR and PROGRAM in the place of what differs. */
  line: string
  root?: true
  programs?: number
  /** Where the socket is, in the test's directory. */
  socket?: string
}

// The shapes of the manual's synopsis, of the scripts that come with spawn-fcgi, and of lighttpd's documentation.
const CASES: readonly Case[] = [
  { name: 'a socket, the program after --', line: '-s SOCKET -P PIDS -- PROGRAM' },
  { name: 'arguments', line: '-s SOCKET -P PIDS -- PROGRAM one two' },
  { name: 'a port', line: '-a 127.0.0.1 -p PORT -P PIDS -- PROGRAM' },
  { name: '-f, as lighttpd shows it', line: '-a 127.0.0.1 -p PORT -C 5 -P PIDS -f PROGRAM' },
  {
    name: 'mode, backlog, directory, children',
    line: '-s SOCKET -M 0606 -b 7 -d DIR -C 3 -P PIDS -- PROGRAM',
  },
  { name: '-F: several on one socket', line: '-s SOCKET -F 3 -P PIDS -- PROGRAM', programs: 3 },
  {
    name: 'users, as the script run-generic has it',
    line: '-s SOCKET -u www-data -U nobody -C 4 -P PIDS -- PROGRAM',
    root: true,
  },
  {
    name: 'user and group',
    line: '-s SOCKET -u www-data -g nogroup -M 0660 -P PIDS -- PROGRAM',
    root: true,
  },
  {
    name: 'owner of the socket',
    line: '-s SOCKET -U www-data -G nogroup -P PIDS -- PROGRAM',
    root: true,
  },
  {
    name: 'chroot',
    line: '-c DIR -s /s -u www-data -P PIDS -- /responder',
    root: true,
    socket: 's',
  },
  {
    name: 'chroot, the socket outside',
    line: '-c DIR -S -s SOCKET -u www-data -P PIDS -- /responder',
    root: true,
  },
]

const NEEDS_BOTH = NEEDS_LIBFCGI.skip ? NEEDS_LIBFCGI : needs('spawn-fcgi', ORIGINAL?.[0])

for (const { name, line, root, programs = 1, socket = 'sock' } of CASES) {
  const skip = root && !ROOT ? { skip: 'needs root' } : NEEDS_BOTH
  t.test(`${name}: spawn-fcgi ${line}`, skip, async (t) => {
    const seen = []
    for (const command of [ORIGINAL ?? [], OURS]) {
      const directory = directoryOf(t)
      mkdirSync(join(directory, 'dir'))
      chmodSync(join(directory, 'dir'), 0o777)
      copyFileSync(compileResponder(), join(directory, 'dir/responder'))
      const path = socket === 's' ? join(directory, 'dir/s') : join(directory, socket)
      const port = await freePort()
      const places: Record<string, string> = {
        SOCKET: path,
        PORT: String(port),
        PIDS: join(directory, 'pids'),
        DIR: join(directory, 'dir'),
        PROGRAM: compileResponder(),
      }
      const words = line.split(' ').map((word) => places[word] ?? word)
      const { status, stdout, stderr } = run([...command, ...words], directory)
      t.equal(status, 0, stderr)
      const pids = readFileSync(join(directory, 'pids'), 'utf8').split('\n').map(Number)
      t.teardown(() => {
        for (const pid of pids) if (isRunning(pid)) process.kill(pid, 'SIGKILL')
      })
      t.equal(pids.length, programs)
      for (const pid of pids) t.match(stdout, `child spawned successfully: PID: ${pid}`)
      const address = line.includes('PORT') ? `127.0.0.1:${port}` : `unix:${path}`
      t.ok(pids.includes(await answerOf(address)), 'it answers')
      const { mode, uid, gid } = line.includes('PORT')
        ? { mode: 0, uid: 0, gid: 0 }
        : statSync(path)
      const text = JSON.stringify({
        socket: { mode, uid, gid },
        program: looks(pids[0] as number, line.startsWith('-c')),
      })
      seen.push(text.replaceAll(directory, 'TEST'))
      for (const pid of pids) process.kill(pid, 'SIGTERM')
      await until('their end', () => !pids.some(isRunning))
    }
    t.same(JSON.parse(seen[1] ?? ''), JSON.parse(seen[0] ?? ''), 'nothing is different')
  })
}

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
  t.match(run([...OURS, '-v'], directory).stdout, /^\d+\.\d+\.\d+$/m)
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
