/** The gateway while nobody asks it anything: what it still holds. */
import { delay } from '../helpers/wait.ts'
import type { GatewayProcess } from './gateway/process.ts'
import type { Fault, Report } from './report.ts'

export interface State {
  descriptors: number
  processes: number
  clients: number
  underWay: number
  memory: number
}

/** Idle connections are closed after a second, clients that linger a little later. */
const SETTLED = 3000
/** By then all that is not used is given back. */
const DEADLINE = 15_000

async function stateOf(gateway: GatewayProcess): Promise<Omit<State, 'memory'>> {
  const { clients, underWay } = await gateway.figures()
  return {
    clients,
    underWay,
    descriptors: gateway.descriptors(),
    processes: gateway.family().length,
  }
}

/** What it holds in the beginning. */
export async function measure(gateway: GatewayProcess): Promise<State> {
  await delay(SETTLED)
  const memory = await gateway.memory()
  return { ...(await stateOf(gateway)), memory }
}

/** Waits until it holds no more than before; what it does not give back is a fault. */
export async function settle(
  gateway: GatewayProcess,
  before: State,
  report: Report,
): Promise<State> {
  const end = performance.now() + DEADLINE
  await delay(SETTLED)
  let state = await stateOf(gateway)
  while (excess(state, before).length > 0 && performance.now() < end) {
    await delay(200)
    state = await stateOf(gateway)
  }
  for (const [fault, count] of excess(state, before))
    report.fault(fault, `${JSON.stringify(before)} ${JSON.stringify(state)}`, count)
  return { ...state, memory: await gateway.memory() }
}

function excess(state: Omit<State, 'memory'>, before: State): Array<[Fault, number]> {
  const all: Array<[Fault, number]> = [
    ['leftConnections', state.clients],
    ['leftRequests', state.underWay],
    ['leftDescriptors', state.descriptors - before.descriptors],
    ['leftProcesses', state.processes - before.processes],
  ]
  return all.filter(([, count]) => count > 0)
}
