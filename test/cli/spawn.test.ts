/** `fastcgi spawn`, beside spawn-fcgi itself: the same words, the same outcome. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { compileResponder, NEEDS_LIBFCGI } from '../helpers/applications.ts'
import { isRunning } from '../helpers/manager-process.ts'
import { freePort } from '../helpers/programs.ts'
import { needs } from '../helpers/require-program.ts'
import { answerOf, directoryOf, OURS, run } from '../helpers/spawn-command.ts'
import { until } from '../helpers/wait.ts'

const ORIGINAL = existsSync('/usr/bin/spawn-fcgi') ? ['/usr/bin/spawn-fcgi'] : undefined
const ROOT = process.getuid?.() === 0

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
