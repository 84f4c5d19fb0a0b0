/** PHP: php-cgi by phpCgi(), and a php-fpm of our own. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { phpCgi, phpFpm } from '@fastcgi/process-manager'
import t from 'tap'
import { findPhpFpm } from '#php'
import { application, ask, managed } from '../helpers/applications.ts'
import { NEEDS_FPM } from '../helpers/php-site.ts'
import { until } from '../helpers/wait.ts'

const PHP = application('php-cgi')
const ROOT = process.getuid?.() === 0

t.test('phpCgi()', PHP.needs, async (t) => {
  const ini = { 'date.timezone': 'Europe/Rome', log_errors: true }
  const { manager } = managed(t, { ...phpCgi({ maxRequests: 3, ini }), processes: 1 })
  const pids = []
  for (let n = 0; n < 6; n++) pids.push(await ask(manager, PHP.params))
  t.equal(new Set(pids).size, 2)
})

t.test('phpFpm(): children, reload without a loss, its end', NEEDS_FPM, async (t) => {
  const user = ROOT ? { user: 'www-data' } : {}
  const { manager, log } = managed(t, phpFpm({ program: findPhpFpm(), children: 3, ...user }))
  const params = { ...PHP.params, REQUEST_METHOD: 'POST', CONTENT_LENGTH: '0' }
  const first = await Promise.all([1, 2, 3].map(() => ask(manager, { ...params, WAIT: '300' })))
  t.equal(new Set(first).size, 3, 'three children, one request each')
  const directory = dirname(manager.processes[0]?.address.slice('unix:'.length) ?? '')
  const config = readdirSync(directory).find((name) => name.endsWith('.conf'))
  t.match(readFileSync(`${directory}/${config}`, 'utf8'), /pm.max_children = 3/)
  const failures: string[] = []
  let over = false
  let answered = 0
  const clients = [1, 2, 3, 4].map(async () => {
    while (!over)
      await ask(manager, params).then(
        () => answered++,
        (error) => failures.push(String(error)),
      )
  })
  for (let n = 1; n <= 3; n++) {
    const before = answered
    await until('answers', () => answered > before + 10)
    await manager.restart()
    const reloads = (): number => log.lines.filter((line) => line.includes('fpm is running')).length
    await until('the reload', () => reloads() > n)
  }
  over = true
  await Promise.all(clients)
  t.same(failures, [])
  t.equal(manager.processes[0]?.starts, 1, 'it is the same process')
  t.notOk(
    log.lines.some((line) => /child \d+ exited with code/.test(line)),
    'no child leaves because another one was faster to accept',
  )
  await manager.close()
  t.throws(() => readdirSync(directory), { code: 'ENOENT' })
})

t.test('phpFpm() that is killed comes back on the same socket', NEEDS_FPM, async (t) => {
  const user = ROOT ? { user: 'www-data' } : {}
  const options = phpFpm({ program: findPhpFpm(), children: 2, ...user })
  const { manager, log } = managed(t, options)
  const child = await ask(manager, PHP.params)
  process.kill(manager.processes[0]?.pid as number, 'SIGKILL')
  await until('its end', () => log.events.some(({ event }) => event === 'exited'))
  t.not(await ask(manager, PHP.params), child, 'its old children are gone, too')
})
