/** What `fastcgi serve` writes: JSON, or text for people on a terminal. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import t from 'tap'
import { ADAPTERS } from '../helpers/adapters.ts'
import { ENV, MAIN, serve, stop } from '../helpers/serve-command.ts'
import { site } from '../helpers/serve-site.ts'
import { within } from '../helpers/wait.ts'

for (const adapter of ADAPTERS)
  t.test(`what goes to stderr is JSON, and says what went wrong (${adapter})`, async (t) => {
    const root = site(t)
    const upstream = 'unix:/nonexistent/php.sock'
    const options = [
      '--upstream',
      upstream,
      '--root',
      root,
      '--adapter',
      adapter,
      '--access-log',
      'json',
    ]
    const served = await serve(t, ...options)
    const response = await fetch(`${served.url}/hello.php`)
    t.equal(response.status, 502)
    t.notMatch(await response.text(), root, 'clients are not told of paths')
    await stop(t, served)
    // Whatever Node itself would print, a deprecation or an experimental feature, is no JSON.
    const lines = served.stderr().trimEnd().split('\n').map(parseLog)
    t.ok(
      lines.some(({ level, msg }) => level === 50 && msg.includes(upstream)),
      served.stderr(),
    )
    const access = served.stdout().split('\n')[1] ?? ''
    t.match(JSON.parse(access), {
      method: 'GET',
      target: '/hello.php',
      status: 502,
      script: 'hello.php',
    })
  })

function parseLog(line: string): { level: number; msg: string } {
  return JSON.parse(line)
}

const SCRIPT = '/usr/bin/script'
const PTY = { skip: process.platform !== 'linux' || !existsSync(SCRIPT) ? 'no script(1)' : false }

t.test('on a terminal the log is for people, and Ctrl+C ends it', PTY, async (t) => {
  const root = site(t)
  // script(1) gives it to $SHELL, and a shell that stays in between would end by the signal itself (dash does).
  const command = `exec '${process.execPath}' '${MAIN}' serve --listen 0 --upstream unix:/none --root '${root}'`
  const child = spawn(SCRIPT, ['-qec', command, '/dev/null'], { env: ENV })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  let interrupted = false
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
    if (interrupted || !output.includes('remedy:')) return
    interrupted = true
    child.stdin.write('\x03')
  })
  const [code] = await within('the exit', once(child, 'close'))
  t.equal(code, 0, output)
  t.match(output, /warning: .*the upstream does not answer: cannot connect to unix:\/none/)
  t.notMatch(output, '{"level"')
})
