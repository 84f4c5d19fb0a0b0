/** The end of the gateway, with all sorts of clients still there. */
import type { Socket } from 'node:net'
import { isRunning } from '../helpers/manager-process.ts'
import { rawConnect } from '../helpers/raw-http.ts'
import { delay, until } from '../helpers/wait.ts'
import type { GatewayProcess } from './gateway/process.ts'
import type { Report } from './report.ts'

/** Milliseconds from SIGTERM to the end. */
const GRACE = 5000
/** Its processes are gone by then. */
const AFTERWARDS = 3000

/** Requests under way, half a head, half a body, a connection without a request, an answer that nobody reads. */
const CLIENTS = [
  'GET /events.php?key=end&count=10&pause=100 HTTP/1.1\r\nHost: chaos\r\n\r\n',
  'GET /page.php?n=10&key=end HTTP/1.1\r\nHost: chaos\r\n\r\n',
  'GET /page.php?n=20000000&key=end HTTP/1.1\r\nHost: chaos\r\n\r\n',
  'POST /take.php HTTP/1.1\r\nHost: chaos\r\nX-Id: end\r\nContent-Length: 100000\r\n\r\nhalf',
  'POST /take.php HTTP/1.1\r\nHost: chaos\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf',
  'GET /page.php HTTP/1.1\r\nHost: ch',
  '',
]

export async function endGateway(gateway: GatewayProcess, report: Report): Promise<void> {
  if (gateway.ended === undefined) await stop(gateway, report)
  if (gateway.ended !== 'code 0')
    report.fault('crashes', `the gateway ended with ${gateway.ended}: ${gateway.output}`)
}

async function stop(gateway: GatewayProcess, report: Report): Promise<void> {
  const sockets = await Promise.all(CLIENTS.map((bytes) => client(gateway.port, bytes)))
  await delay(200)
  const family = gateway.family().filter((pid) => pid !== gateway.pid)
  const took = await gateway.stop()
  report.measured.set('end after SIGTERM, ms', took.toFixed())
  if (took > GRACE) report.fault('lateEnds', `${took.toFixed()} ms`)
  for (const socket of sockets) socket.destroy()
  const left = (): number[] => family.filter(isRunning)
  await until('its processes to end', () => left().length === 0, AFTERWARDS).catch(() =>
    report.fault('leftProcesses', `after its end: ${left()}`, left().length),
  )
}

async function client(port: number, bytes: string): Promise<Socket> {
  const socket = await rawConnect(port)
  socket.on('error', () => {})
  socket.write(bytes)
  return socket
}
