/** Managed applications in what uses them: HTTP servers of all kinds, their end, their status page; and whom they run as. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fastcgiProxy, fastcgiStatus } from '@fastcgi/fastify'
import { createProcessManager } from '@fastcgi/process-manager'
import Fastify from 'fastify'
import t from 'tap'
import { application, FIXTURES, isAlive, managed, NEEDS_LIBFCGI } from '../helpers/applications.ts'
import { isRunning } from '../helpers/manager-process.ts'
import { until, within } from '../helpers/wait.ts'

/** Asks on a connection of its own: for one that is kept, a server that ends would wait. */
async function get(url: string): Promise<string> {
  const [response] = await once(request(url, { agent: false }).end(), 'response')
  return await text(response)
}

const QUIET = { info() {}, warn() {}, error() {} }
const ROOT = process.getuid?.() === 0

t.test(
  'upstream: () => createProcessManager(…) is closed with its plugin',
  NEEDS_LIBFCGI,
  async (t) => {
    const app = Fastify()
    const pids: number[] = []
    app.register(fastcgiProxy, {
      prefix: '/app',
      root: FIXTURES,
      routes: [{ match: '/' }],
      checkLocal: false,
      upstream: () => {
        const { command } = application('libfcgi (C)').options()
        const manager = createProcessManager({ command, logger: QUIET })
        manager.onProcess(({ pid }) => pid !== undefined && pids.push(pid))
        return manager
      },
    })
    app.register(fastcgiStatus, { prefix: '/status' })
    const { statusCode, body } = await app.inject('/app/x')
    t.equal(statusCode, 200)
    t.same(pids, [Number(body)])
    await app.close()
    t.notOk(pids.some(isAlive))
  },
)

t.test('503 with Retry-After while none runs', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(fastcgiProxy, {
    root: FIXTURES,
    routes: [{ match: '/' }],
    checkLocal: false,
    upstream: () => createProcessManager({ command: ['/bin/false'], logger: QUIET }),
  })
  const { statusCode, headers } = await app.inject('/x')
  t.equal(statusCode, 503)
  t.equal(headers['retry-after'], '1')
})

t.test('the status page shows its processes', NEEDS_LIBFCGI, async (t) => {
  const { manager } = managed(t, { ...application('libfcgi (C)').options(), processes: 2 })
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(fastcgiProxy, {
    root: FIXTURES,
    routes: [{ match: '/' }],
    checkLocal: false,
    upstream: manager,
  })
  app.register(fastcgiStatus, { prefix: '/status' })
  await app.inject('/x')
  await until(
    'both',
    () => manager.processes.filter(({ state }) => state === 'running').length === 2,
  )
  const { body } = await app.inject('/status?json')
  t.match(body, 'responder-0')
  t.match(body, 'responder-1')
})

t.test(
  'SIGTERM of the application: it finishes, ends its processes, exits with 0',
  NEEDS_LIBFCGI,
  async (t) => {
    const [program] = application('libfcgi (C)').options().command
    const script = new URL(`managed-${process.pid}.mjs`, import.meta.url)
    writeFileSync(
      script,
      `import Fastify from 'fastify'
import { fastcgiProxy } from '@fastcgi/fastify'
import { createProcessManager } from '@fastcgi/process-manager'
const app = Fastify({ forceCloseConnections: 'idle' })
app.addHook('onRequest', async () => console.log('asked'))
app.register(fastcgiProxy, {
  root: '/', routes: [{ match: '/' }], checkLocal: false, env: { WAIT: '700' },
  upstream: () => createProcessManager({ command: ['${program}'], logger: { info() {}, warn() {}, error: console.error } }),
})
process.once('SIGTERM', () => app.close())
const url = await app.listen({ port: 0, host: '127.0.0.1' })
console.log(url)
`,
    )
    t.teardown(() => rmSync(script, { force: true }))
    const child = spawn(process.execPath, [script.pathname], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.teardown(() => child.kill('SIGKILL'))
    const exited = once(child, 'exit')
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text
    })
    await until('its first line', () => output.includes('\n'), 30_000)
    const [url] = output.split('\n')
    const pid = await get(`${url}/x`)
    const answer = get(`${url}/x`)
    await until('the second request', () => output.split('asked').length === 3)
    child.kill('SIGTERM')
    t.equal(await answer, pid, 'what was asked is answered')
    t.same(await within('its end', exited), [0, null])
    t.notOk(isRunning(Number(pid)))
  },
)

t.test(
  'whom a program runs as, and within which limits',
  { skip: ROOT ? false : 'needs root' },
  async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
    t.teardown(() => rmSync(directory, { recursive: true }))
    chmodSync(directory, 0o755)
    const program = join(directory, 'tell')
    // Its output is what is looked at.
    const tell =
      'echo "$(id -u):$(id -g):$(id -G):$(umask):$(ulimit -n):$(nice):$(pwd):$(env | sort | tr "\\\\n" " ")"'
    writeFileSync(program, `#!/bin/sh\n${tell}\nsleep 60\n`)
    chmodSync(program, 0o755)
    const { log } = managed(t, {
      command: [program],
      name: 'tell',
      user: 'www-data',
      group: 'www-data',
      umask: 0o27,
      priority: 5,
      limits: { nofile: 64 },
      copyEnv: [],
      env: { A: 'x y' },
    })
    await until('its output', () => log.lines.some((line) => line.includes('A=x y')))
    const [, line = ''] =
      /\]: (.*)$/.exec(log.lines.find((text) => text.includes('A=x y')) ?? '') ?? []
    // nice adds to what this process has, up to 19.
    const niceness = Math.min(19, getPriority() + 5)
    t.match(line, new RegExp(`^33:33:33:0027:64:${niceness}:`))
    t.match(line, new RegExp(`:${directory}:`), 'in its own directory')
    t.notMatch(line, /HOME=|USER=/)
  },
)
