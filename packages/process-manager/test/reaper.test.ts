/** What a process that is killed in the very moment of a start leaves behind: a child that nobody has been told of. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'

const built = (name: string): string => new URL(`../../dist/${name}.js`, import.meta.url).href

const PROGRAM = `
import { spawn } from 'node:child_process'
import { openWatchedSocket } from '${built('sockets/listen-sockets')}'
const path = process.argv[1]
const socket = await openWatchedSocket({ kind: 'unix', path, name: path }, { backlog: 1, mode: 0o600 })
const child = spawn('/bin/sh', ['-c', 'trap "" TERM; sleep 60 & wait; sleep 60'], {
  detached: true,
  stdio: [socket.fd, 'ignore', 'ignore'],
})
console.log(child.pid)
process.kill(process.pid, 'SIGKILL')
`

t.test(
  'it is known by its socket',
  { skip: existsSync('/proc') ? false : 'there is no /proc' },
  async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
    t.teardown(() => rmSync(directory, { recursive: true }))
    const path = join(directory, 's')
    const args = ['--input-type=module', '-e', PROGRAM, path]
    const { stdout, signal } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    t.equal(signal, 'SIGKILL')
    const pid = Number(stdout)
    t.ok(pid > 1)
    const end = performance.now() + 10_000 * Number(process.env.FCGI_TEST_SLOWNESS ?? 1)
    while (performance.now() < end && (isRunning(pid) || existsSync(path)))
      await new Promise((resolve) => setTimeout(resolve, 10))
    t.notOk(isRunning(pid))
    t.notOk(existsSync(path))
  },
)

function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}
