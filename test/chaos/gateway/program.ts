/** The gateway under test, in a process of its own: it obeys its driver and ends at SIGTERM. */
import type { Test } from 'tap'
import { startAdapter } from '../../helpers/adapters.ts'
import type { Answer, Command, Figures, Setup } from './messages.ts'
import { Upstreams } from './upstreams.ts'

/** Clients that are not done by then are cut off. */
const PATIENCE = 2000

const setup = JSON.parse(process.argv[2] ?? '') as Setup
const lines: string[] = []
const warnings: string[] = []
process.on('warning', (warning) => warnings.push(String(warning.stack ?? warning)))

/** No files of their own. */
const generated = { root: '/srv', checkLocal: false }
const upstreams = new Upstreams(setup, (line) => void lines.push(line))
// Without a test, the end of the process is the end of the server.
const untested = { teardown: () => {} } as unknown as Test
const app = await startAdapter(untested, setup.adapter, {
  root: setup.root,
  env: { CHAOS_DIR: setup.directory },
  sendfile: { roots: [`${setup.directory}/files`] },
  spoolDirectory: `${setup.directory}/spool`,
  routes: [
    { match: '/mutated/shared/', upstream: upstreams.multiplexed, ...generated, buffering: true },
    { match: '/mutated/', upstream: upstreams.mutated, ...generated },
    { match: '/', upstream: upstreams.outer },
  ],
})

process.on('message', ({ id, command }: { id: number; command: Command }) => {
  obey(command).then(
    (value) => process.send?.({ id, value } satisfies Answer),
    (error) => process.send?.({ id, error: String(error) } satisfies Answer),
  )
})
process.once('SIGTERM', () => process.disconnect())
// Also when its driver has gone.
process.once('disconnect', () => void end())
process.send?.({ port: app.port })

async function obey(command: Command): Promise<unknown> {
  if (command.kind === 'figures') return figures()
  if (command.kind === 'memory') return memory()
  if (command.kind === 'restart') return upstreams.manager.restart()
  return upstreams.change(command)
}

/** Bytes of the heap and of Buffers, after a garbage collection. */
function memory(): number {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function figures(): Promise<Figures> {
  const clients = await new Promise<number>((resolve, reject) =>
    app.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  )
  return {
    clients,
    underWay: upstreams.underWay,
    processes: upstreams.manager.processes.map(({ state }) => state),
    log: [...lines.splice(0), ...app.log.splice(0)],
    warnings: warnings.splice(0),
  }
}

/** Afterwards nothing may be left that keeps the process going. */
async function end(): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), PATIENCE)
  await app.close()
  clearTimeout(timer)
  await upstreams.close()
}
