/** Which PHP is taken. */
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { choosePhp, findPhp, phpProcesses } from '@fastcgi/process-manager'
import t, { type Test } from 'tap'

/** A directory of programs that do nothing, as the only one in PATH. */
function programs(t: Test, ...names: string[]): string {
  const directory = t.testdir({})
  for (const name of names) {
    writeFileSync(join(directory, name), '#!/bin/sh\n')
    chmodSync(join(directory, name), 0o755)
  }
  const before = process.env.PATH
  process.env.PATH = directory
  t.teardown(() => {
    process.env.PATH = before
  })
  return directory
}

t.test('the name without a version, else the highest version of PHP 8', (t) => {
  const directory = programs(t, 'php-cgi7.4', 'php-cgi8.9', 'php-cgi8.10', 'php-cgi.conf', 'php')
  t.strictSame(findPhp(['php-cgi']), { kind: 'php-cgi', file: join(directory, 'php-cgi8.10') })
  const all = programs(t, 'php-cgi8.10', 'php-cgi')
  t.equal(findPhp(['php-cgi'])?.file, join(all, 'php-cgi'))
  t.end()
})

t.test('php-fpm before php-cgi', (t) => {
  const directory = programs(t, 'php-cgi', 'php-fpm')
  t.strictSame(choosePhp(), { kind: 'php-fpm', file: join(directory, 'php-fpm') })
  t.equal(choosePhp('php-cgi').file, join(directory, 'php-cgi'))
  t.equal(choosePhp(join(directory, 'php-cgi')).kind, 'php-cgi')
  t.end()
})

t.test('what cannot be', (t) => {
  const directory = programs(t, 'php')
  t.throws(() => choosePhp('php'), {
    code: 'FCGI_OPTION',
    message: /^php is not php-fpm or php-cgi/,
  })
  t.throws(() => choosePhp(`${directory}/php-cgi`), {
    message: `there is no program ${directory}/php-cgi`,
  })
  t.throws(() => phpProcesses({ program: 'php-cgi', workers: 0 }), {
    message: /option workers must be/,
  })
  t.end()
})

t.test('phpProcesses(): one socket for all workers', (t) => {
  const directory = programs(t, 'php-cgi', 'php-fpm')
  const cgi = phpProcesses({ program: 'php-cgi', workers: 3, ini: { a: true } })
  t.match(cgi.options, {
    command: [join(directory, 'php-cgi'), '-d', 'a=1'],
    env: { PHP_FCGI_CHILDREN: 3 },
  })
  const fpm = phpProcesses({ workers: 3, user: 'nobody', group: 'nobody' })
  t.match(fpm, { workers: 3, php: { kind: 'php-fpm' }, options: { concurrency: 3, processes: 1 } })
  t.ok(phpProcesses({ program: 'php-cgi' }).workers >= 4)
  const found = { kind: 'php-cgi', file: '/opt/any-name' } as const
  t.match(phpProcesses({ program: found }).options, { command: ['/opt/any-name'] })
  t.end()
})
