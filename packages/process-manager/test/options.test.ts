/** Options: what is refused and in which words, and what command comes of them. */
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createProcessManager, DynamicGroup, phpCgi, phpFpm } from '@fastcgi/process-manager'
import t, { type Test } from 'tap'
import { resolveLaunch } from './internals.ts'

const ROOT = process.getuid?.() === 0
const NEEDS_ROOT = { skip: ROOT ? false : 'only root may do that' }
const command = ['/bin/true']

/** A directory of one's own, gone after the test. */
function directory(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(path, { recursive: true }))
  return path
}

t.test('refused, by name', async (t) => {
  const refused = (options: object, message: RegExp): void => {
    t.throws(() => createProcessManager(options as never), { code: 'FCGI_OPTION', message })
  }
  refused({}, /option command is missing/)
  refused({ command: 'php-cgi' }, /option command must be an array of the program/)
  refused({ command: ['no-such-program'] }, /there is no program no-such-program in PATH/)
  refused({ command: ['/no/such/program'] }, /\/no\/such\/program does not exist/)
  refused({ command: ['/etc'] }, /\/etc is no program/)
  refused({ command, nonsense: 1 }, /unknown option nonsense/)
  refused({ command, cwd: '/no/such' }, /option cwd: there is no directory \/no\/such/)
  refused(
    { command, maxLoadPerProcess: 2 },
    /maxLoadPerProcess is one of mode adaptive; here it is static/,
  )
  refused({ command, mode: 'dynamic', processes: 2 }, /processes is one of mode static/)
  refused(
    { command, mode: 'adaptive', minProcesses: 5 },
    /minProcesses \(5\) must not be over maxProcesses \(4\)/,
  )
  refused(
    { command, mode: 'dynamic', maxProcesses: 3 },
    /processSlack must not be over maxProcesses \(3\)/,
  )
  refused(
    { command, mode: 'dynamic', dynamicGroup: new DynamicGroup(), startDelay: 1 },
    /to be given to the group/,
  )
  refused({ command, listen: '/a', ipcDir: '/b' }, /exclude each other/)
  refused({ command, listen: 'example.org:9000' }, /must have an IP address or a path/)
  refused({ command, listen: `unix:/${'x'.repeat(100)}` }, /too long for a socket/)
  refused({ command, killSignal: 'SIGNOTHING' }, /option killSignal must be the name of a signal/)
  refused({ command, env: { 'A=B': '1' } }, /option env must be/)
  refused({ command, limits: { nonsense: 1 } }, /option limits must be/)
  refused({ command, binPath: '/bin/true' }, /unknown option binPath; here it is command/)
  refused({ command, user: 'www-data' }, /group is missing: user and group go together/)
  refused({ command, group: 'www-data' }, /user is missing/)
  refused({ command, wrapper: '/bin/true' }, /wrapper needs user and group/)
  t.throws(() => new DynamicGroup({ gainValue: 2 }), /gainValue must be a number from 0 to 1/)
  t.throws(() => phpFpm({ root: '/a"b', user: 'x' }), /must not have a quote/)
})

t.test('for root alone', { skip: ROOT ? 'this is root' : false }, async (t) => {
  for (const [options, name] of [
    [{ user: 1, group: 1 }, 'user'],
    [{ chroot: '/' }, 'chroot'],
    [{ priority: -1 }, 'priority below 0'],
  ] as const)
    t.throws(() => resolveLaunch({ command, ...options }), new RegExp(`${name} needs root`))
})

t.test('the environment is empty but for what is named', async (t) => {
  process.env.FCGI_TEST_SECRET = 'secret'
  t.teardown(() => delete process.env.FCGI_TEST_SECRET)
  const env = (options: object): object => resolveLaunch({ command, ...options }).env
  t.same(env({}), { PATH: process.env.PATH })
  t.same(env({ copyEnv: [] }), {})
  t.same(env({ copyEnv: ['FCGI_TEST_SECRET', 'FCGI_TEST_NONE'], env: { A: 1, B: undefined } }), {
    FCGI_TEST_SECRET: 'secret',
    A: '1',
  })
})

t.test('the program, and where it runs', async (t) => {
  const path = directory(t)
  writeFileSync(join(path, 'program'), '#!/bin/sh\n')
  t.throws(() => resolveLaunch({ command: [join(path, 'program')] }), /may not be executed/)
  chmodSync(join(path, 'program'), 0o755)
  const launch = resolveLaunch({ command: [join(path, 'program'), 'a b'] })
  t.same([launch.file, ...launch.args], [join(path, 'program'), 'a b'])
  t.equal(launch.cwd, path, 'its own directory')
  t.equal(
    resolveLaunch({ command: ['program'], env: { PATH: path } }).file,
    join(path, 'program'),
    'in its own PATH',
  )
})

t.test('what other programs do before', async (t) => {
  const words = (options: object): string[] => {
    const { file, args } = resolveLaunch({ command, ...options })
    return [file, ...args].map((word) => word.replace(/^\/.*\//, ''))
  }
  t.same(words({ priority: 5 }), ['nice', '-n', '5', 'true'])
  t.same(words({ limits: { nofile: 64, core: [0, 1] } }), [
    'prlimit',
    '--nofile=64',
    '--core=0:1',
    'true',
  ])
  t.same(words({ umask: 0o27 }), ['sh', '-c', 'umask 27 && exec "$@"', 'fastcgi-umask', 'true'])
  t.same(
    words({ wrapper: '/bin/echo', user: 'daemon', group: 'daemon', command: ['/bin/true', 'x'] }),
    ['echo', 'daemon', 'daemon', 'true', 'x'],
  )
  t.test('as root', NEEDS_ROOT, async (t) => {
    t.match(words({ user: 'nobody', group: 'nogroup' }), [
      'setpriv',
      /^--reuid=\d+$/,
      /^--regid=\d+$/,
      /^--groups=\d/,
      'true',
    ])
    t.same(words({ user: 7777, group: 8888 }), [
      'setpriv',
      '--reuid=7777',
      '--regid=8888',
      '--groups=8888',
      'true',
    ])
    t.match(words({ chroot: '/', user: 7777, group: 8888 }), [
      'chroot',
      '--userspec=7777:8888',
      '--groups=8888',
      '/',
      'true',
    ])
    t.throws(
      () => words({ user: 'nobody-of-that-name', group: 1 }),
      /the system knows no user nobody-of-that-name/,
    )
    t.throws(() => words({ user: 0, group: 0 }), /not started as root on purpose/)
    t.throws(() => words({ chroot: '/', cwd: '/tmp' }), /goes with neither cwd nor wrapper/)
    t.throws(() => words({ chroot: '/no/such', command: ['/bin/true'] }), /does not exist/)
  })
})

t.test('options are not written to, and the presets are options like others', async (t) => {
  const options = Object.freeze({
    command: Object.freeze(['/bin/sleep', '60']),
    env: Object.freeze({}),
  })
  const quiet = { info() {}, warn() {}, error() {} }
  const manager = createProcessManager({ ...options, logger: quiet })
  await manager.close()
  t.same(phpCgi({ maxRequests: 7, ini: { display_errors: false } }), {
    command: ['php-cgi', '-d', 'display_errors=0'],
    env: { PHP_FCGI_MAX_REQUESTS: 7 },
  })
  if (ROOT) t.throws(() => phpFpm(), /php-fpm does not run scripts as root/)
})

t.test('closed before its socket is open: nothing is left', async (t) => {
  const ipcDir = directory(t)
  for (let n = 0; n < 5; n++) {
    const logger = { info() {}, warn() {}, error() {} }
    const manager = createProcessManager({ command: ['/bin/sleep', '60'], ipcDir, logger })
    if (n > 0) await new Promise((resolve) => setTimeout(resolve, n))
    await manager.close()
    t.same(readdirSync(ipcDir), [])
  }
})

t.test('ipcDir is made, for nobody else', async (t) => {
  const ipcDir = join(directory(t), 'ipc')
  const logger = { info() {}, warn() {}, error() {} }
  const manager = createProcessManager({
    command: ['/bin/sleep', '60'],
    ipcDir,
    logger,
    socketMode: 0o666,
  })
  t.equal(statSync(ipcDir).mode & 0o777, 0o700)
  const started = new Promise<void>((resolve) => manager.onProcess(() => resolve()))
  await started
  t.equal(statSync(join(ipcDir, 'sleep-0')).mode & 0o777, 0o666)
  await manager.destroy()
  t.throws(() => statSync(join(ipcDir, 'sleep-0')))
})
