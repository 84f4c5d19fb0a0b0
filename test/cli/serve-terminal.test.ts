/** A session of `fastcgi serve` on a terminal, as packages/cli/README.md shows it. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { processesOf } from '../helpers/processes-of.ts'
import { findProgram } from '../helpers/programs.ts'
import { needs } from '../helpers/require-program.ts'
import { ENV, MAIN } from '../helpers/serve-command.ts'
import { PHP_FPM } from '../helpers/serve-site.ts'
import { until } from '../helpers/wait.ts'

const TMUX = findProgram('tmux')
const skip = PHP_FPM.skip || needs('tmux', TMUX).skip

const SITE = {
  'index.php': `<?php echo 'Shop';`,
  'cart.php': `<?php echo $_GET['item'], $price;`,
  'slow.php': `<?php usleep(1100000); echo 'done';`,
  'import.php': `<?php posix_kill(getmypid(), 9);`,
  'style.css': 'body { color: red }',
  images: {},
}
const PATHS =
  '/ /style.css /cart.php?item=hat /none /images/ /slow.php / /import.php /index.php/7?x=1 /style.css'.split(
    ' ',
  )

let terminals = 0

/** A terminal of its own, with a shell that waits for input. */
async function terminal(t: Test, cwd: string) {
  const server = ['-L', `fcgi-${process.pid}-${++terminals}`]
  const tmux = (...args: string[]): string =>
    execFileSync(TMUX ?? '', [...server, ...args], {
      cwd,
      env: ENV,
      encoding: 'utf8',
    })
  tmux('-f', '/dev/null', 'new-session', '-d', '-x', '140', '-y', '60', "PS1='$ ' exec sh")
  let isOpen = true
  const close = (): void => {
    if (isOpen) execFileSync(TMUX ?? '', [...server, 'kill-server'])
    isOpen = false
  }
  t.teardown(close)
  return {
    close,
    type: (...keys: string[]) => void tmux('send-keys', ...keys),
    screen: () =>
      tmux('capture-pane', '-p', '-J')
        .replaceAll(/[ \n]+$/gm, '')
        .trim(),
  }
}

function ask(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => response.resume().once('close', resolve)).on(
      'error',
      reject,
    )
  })
}

/** Without what differs from machine to machine. */
function general(session: string): string {
  return session
    .replace(/\$ .*serve$/m, '$ serve')
    .replace(/ serves \S+ /, ' serves DIRECTORY ')
    .replace(/through .*/, 'through PHP')
    .replaceAll(/127\.0\.0\.1:\d+/g, 'HOST')
    .replaceAll(/(?<= in )\S+(?=\/cart\.php)/g, 'DIRECTORY')
    .replaceAll(/unix:\S+(?=\/php-fpm)/g, 'unix:SOCKETS')
    .replaceAll(/\d+(\.\d+)? (B|kB|ms)\b/g, 'N $2')
    .replaceAll(/\^C\$?/g, '^C')
}

t.test('start, ten requests, a notice, a failure, the end', { skip }, async (t) => {
  const cwd = t.testdir(SITE)
  const { type, screen } = await terminal(t, cwd)
  type(`'${process.execPath}' '${MAIN}' serve`, 'Enter')
  await until('the line', () => screen().includes('fastcgi: http'))
  const [url = ''] = /http:\/\/127\.0\.0\.1:\d+/.exec(screen()) ?? []
  for (const [at, path] of PATHS.entries()) {
    await ask(url + path)
    const lines = (): number => screen().split(/^GET \//m).length - 1
    await until('its line', () => lines() > at)
  }
  type('C-c')
  await until('the end', () => screen().includes('\nended'))
  const readme = readFileSync('packages/cli/README.md', 'utf8')
  const [, shown = ''] = /```text\n(\$ npx @fastcgi\/cli serve\n[\s\S]*?)```/.exec(readme) ?? []
  t.equal(general(screen()).replace(/\n\$$/, ''), general(shown).trim())
})

t.test('closing the terminal ends it, although SIGHUP reloads', { skip }, async (t) => {
  const cwd = t.testdir({ 'index.php': '' })
  const temporary = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(temporary, { recursive: true, force: true }))
  const { type, screen, close } = await terminal(t, cwd)
  type(`TMPDIR=${temporary} '${process.execPath}' '${MAIN}' serve --port 0`, 'Enter')
  await until('the line', () => screen().includes('fastcgi: http'))
  const [primary = 0] = processesOf(temporary)
    .map(Number)
    .sort((a, b) => a - b)
  process.kill(primary, 'SIGHUP')
  await until('the reload', () => screen().includes('\nreloaded'))
  close()
  await until('all processes to end', () => processesOf(temporary).length === 0)
  t.strictSame(readdirSync(temporary), [])
})
