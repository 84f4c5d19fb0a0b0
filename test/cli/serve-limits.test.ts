/** The port that `fastcgi serve` takes, and the limits of its server. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import t from 'tap'
import { ADAPTERS } from '../helpers/adapters.ts'
import { CLI, serveWith, stop } from '../helpers/serve-command.ts'
import { until } from '../helpers/wait.ts'

const { choosePort } = await import(new URL('http/port.js', CLI).href)

async function listening(port: number): Promise<Server | undefined> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
    return server
  } catch {
    return undefined
  }
}

/** Two ports in a row of which the first is taken by this test. */
async function takenPort(): Promise<{ port: number; server: Server }> {
  for (;;) {
    const server = (await listening(0)) as Server
    const { port } = server.address() as AddressInfo
    const next = port < 65_535 ? await listening(port + 1) : undefined
    next?.close()
    if (next !== undefined) return { port, server }
    server.close()
  }
}

t.test('the first free port, or why the wanted one cannot be had', async (t) => {
  const { port, server } = await takenPort()
  t.teardown(() => server.close())
  const where = { host: '127.0.0.1', port }
  // Somebody else may take the next one in the meantime.
  const found = await choosePort({ ...where, search: true })
  t.ok(found > port && found < port + 10, `${found} after ${port}`)
  const failing: ReadonlyArray<readonly [object, string]> = [
    [
      where,
      `port ${port} on 127.0.0.1 is taken by another program; choose another one (option --port)`,
    ],
    [{ host: '192.0.2.1', port: 0 }, '192.0.2.1 is no address of this machine (option --listen)'],
  ]
  for (const [listen, message] of failing)
    await t.rejects(choosePort({ ...listen, search: false }), { message })
})

/** Prints the limits of every server that is made. */
const PRELOAD = `
import { Server } from 'node:http'
const { listen } = Server.prototype
Server.prototype.listen = function (...args) {
  process.stderr.write(\`limits \${this.requestTimeout} \${this.headersTimeout}\\n\`)
  return listen.apply(this, args)
}`

for (const adapter of ADAPTERS)
  t.test(`an upload may take as long as it moves (${adapter})`, async (t) => {
    const cwd = t.testdir({ 'index.php': '' })
    const args = ['--port', '0', '--upstream', 'unix:/none', '--adapter', adapter]
    const preload = `data:text/javascript,${encodeURIComponent(PRELOAD)}`
    const served = await serveWith(t, { cwd, args, env: { NODE_OPTIONS: `--import=${preload}` } })
    await until('the limits', () => served.stderr().includes('limits'))
    t.match(served.stderr(), /^limits 0 60000$/m, 'node would end a request after five minutes')
    await stop(t, served)
  })
