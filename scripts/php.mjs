// Finds PHP and runs it for one run of the example or of the tests. Types: php.d.mts.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { findPhpWasm, phpWasm } from '@fastcgi/php-wasm'
import { findPhp } from '@fastcgi/process-manager'

const windows = process.platform === 'win32'
const asRoot = process.getuid?.() === 0

/** How long PHP may take to accept connections; longer where the runner of the tests finds the machine slow. */
const START_TIMEOUT = 10_000 * Number(process.env.FCGI_TEST_SLOWNESS ?? 1)
/** How long stop() waits for a polite end before it kills. */
const STOP_TIMEOUT = 3_000
/** How many characters of what PHP wrote are kept. */
const OUTPUT_LIMIT = 65_536
/** The longest path of a socket that every system takes, in bytes (macOS 103, Linux 107). */
const SOCKET_PATH_LIMIT = 103

export const findPhpFpm = () => findPhp(['php-fpm'])?.file
export const findPhpCgi = () => findPhp(['php-cgi'])?.file
export { findPhpWasm }

function attempt(action) {
  try {
    return action()
  } catch {
    return undefined
  }
}

export async function startPhpFpm(options = {}) {
  const { children = 2, ini = {}, pool = {}, binary = findPhpFpm() } = options
  if (binary === undefined) throw new Error('php-fpm is not installed')
  return start(options, binary, 'pm' in pool ? 1 : children, (address, directory) => {
    const file = join(directory, 'php-fpm.conf')
    const admin = Object.entries(ini).map(([name, value]) => [`php_admin_value[${name}]`, value])
    const directives = {
      ...(asRoot && { user: 0, group: 0 }),
      listen: address.replace(/^unix:/, ''),
      'listen.mode': '0600',
      pm: 'static',
      'pm.max_children': children,
      catch_workers_output: 'yes',
      clear_env: 'no',
      ...(options.root !== undefined && { chdir: options.root }),
      ...pool,
      ...Object.fromEntries(admin),
    }
    const lines = Object.entries(directives).map(([name, value]) => `${name} = ${value}\n`)
    // What is logged goes to stderr by -O; php-fpm only insists on a file that it may open.
    writeFileSync(file, `[global]\nerror_log = /dev/null\n[www]\n${lines.join('')}`)
    return { args: ['-F', '-O', ...(asRoot ? ['-R'] : []), '-y', file, ...sessions(directory)] }
  })
}

export async function startPhpCgi(options = {}) {
  const { children = 2, ini = {}, binary = findPhpCgi() } = options
  if (binary === undefined) throw new Error('php-cgi is not installed')
  return start(options, binary, windows ? 0 : children, (address, directory) => ({
    args: [
      ...['-b', address.replace(/^unix:/, '')],
      ...sessions(directory),
      ...Object.entries(ini).flatMap(([name, value]) => ['-d', `${name}=${value}`]),
    ],
    env: { PHP_FCGI_CHILDREN: String(children), PHP_FCGI_MAX_REQUESTS: '0', ...options.env },
  }))
}

export async function startPhpWasm(options = {}) {
  const { children = 2, ini = {} } = options
  return start(options, process.execPath, 0, (address, directory) => {
    const [, ...command] = phpWasm({ ini: { 'session.save_path': directory, ...ini } }).command
    const [host, port] = address.split(':')
    const listen = address.startsWith('unix:')
      ? `-unix=${address.slice('unix:'.length)}`
      : [`-host=${host}`, `-port=${port}`]
    // What it keeps in the temporary directory goes with the run, also if it is killed.
    const own = { NODE_OPTIONS: '', PHP_FCGI_CHILDREN: String(children), TMPDIR: directory }
    const env = { ...own, ...options.env }
    return { args: [...command, listen].flat(), env }
  })
}

/** Sessions end with the run, and need no directory that only a package's own user may write. */
const sessions = (directory) => ['-d', `session.save_path=${directory}`]

async function start(options, binary, children, prepare) {
  const { listen = windows ? 'tcp' : 'unix', log, root: cwd } = options
  if (Buffer.byteLength(listen) > SOCKET_PATH_LIMIT + 'unix:'.length)
    throw new Error(`The path of the socket is too long: ${listen}`)
  for (let attempts = 3; ; attempts--) {
    const directory = mkdtempSync(join(tmpdir(), 'php-'))
    const address = await chooseAddress(listen, directory)
    const { args, env } = prepare(address, directory)
    const php = run(binary, args, { address, directory, log, cwd, env: { ...process.env, ...env } })
    try {
      await ready(php, children)
      return php
    } catch (error) {
      await php.stop('SIGKILL')
      // Somebody else may have taken the free port in the meantime.
      if (listen !== 'tcp' || attempts === 1) throw error
    }
  }
}

async function chooseAddress(listen, directory) {
  if (listen === 'tcp') return `127.0.0.1:${await freePort()}`
  return listen === 'unix' ? `unix:${join(directory, 's')}` : listen
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

const running = new Set()
process.on('exit', () => {
  for (const end of running) end()
})

function run(binary, args, { env, cwd, address, directory, log }) {
  // A process group of its own: workers outlive a master that was killed, and a group can be ended as one.
  const child = spawn(binary, args, {
    env,
    cwd,
    detached: !windows,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      output = (output + text).slice(-OUTPUT_LIMIT)
      log?.(text)
    })
  const exited = new Promise((resolve) => {
    child.once('error', (error) => {
      output += error.message
      resolve({ code: null, signal: null })
    })
    child.once('exit', (code, signal) => resolve({ code, signal }))
  })
  const dismiss = watch(child.pid, directory)
  const end = () => {
    signalGroup(child.pid, 'SIGKILL')
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  }
  running.add(end)
  const stop = async (signal) => {
    signalGroup(child.pid, signal)
    await Promise.race([exited, delay(STOP_TIMEOUT, undefined, { ref: false })])
    signalGroup(child.pid, 'SIGKILL')
    await exited
    end()
    running.delete(end)
    dismiss()
  }
  let stopped
  return {
    address,
    pid: child.pid,
    exited,
    output: () => output,
    children: () => workers(child.pid) ?? [],
    stop: (signal = 'SIGTERM') => (stopped ??= stop(signal)),
  }
}

function signalGroup(pid, signal) {
  if (pid !== undefined) attempt(() => process.kill(windows ? pid : -pid, signal))
}

/** Ends PHP also when this process is killed and can't do it: the pipe then closes without a line. */
function watch(pid, directory) {
  if (windows || pid === undefined) return () => {}
  const script = 'read -r line || { kill -s KILL -- "-$1"; rm -rf -- "$2"; }'
  const options = { detached: true, stdio: ['pipe', 'ignore', 'ignore'] }
  const watcher = spawn('/bin/sh', ['-c', script, 'sh', String(pid), directory], options)
  watcher.on('error', () => {}).unref()
  watcher.stdin.on('error', () => {}).unref()
  return () => watcher.stdin.end('done\n')
}

/** Process ids of the children, where the system tells. */
function workers(pid) {
  const text = attempt(() => readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1'))
  return text?.split(' ').filter(Boolean).map(Number)
}

/** Workers first: a connection that says nothing costs one of them its time, so there is only one such. */
async function ready(php, children) {
  const deadline = Date.now() + START_TIMEOUT
  let ended = false
  php.exited.then(() => {
    ended = true
  })
  while ((workers(php.pid)?.length ?? children) < children || !(await accepts(php.address))) {
    if (ended) {
      await delay(50) // the rest of what it wrote is still on its way
      throw new Error(`PHP ended at once: ${php.output().trim().slice(-2000)}`)
    }
    if (Date.now() > deadline)
      throw new Error(
        `PHP does not accept connections on ${php.address}: ${php.output().slice(-2000)}`,
      )
    await delay(10)
  }
}

function accepts(address) {
  const path = address.startsWith('unix:') ? address.slice('unix:'.length) : undefined
  const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(address) ?? []
  const socket = connect(path === undefined ? { host, port } : { path })
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  }).finally(() => socket.destroy())
}
