// Looks at the start whether the applications accept connections, and says so if not.
import { connect, type NetConnectOpts } from 'node:net'
import { type Address, parseAddress } from '@fastcgi/client'
import { connectError } from '@fastcgi/client/internal'
import type { Logger } from 'pino'
import type { Settings } from '../settings/settings.ts'

/** Milliseconds within which a running application accepts a connection. */
const ANSWER_TIME = 3000

/** Logs a warning for each address that accepts no connection; does not wait for that. */
export function reportSilence({ gateway }: Settings, logger: Logger): void {
  for (const upstream of [gateway.upstream].flat())
    if (typeof upstream === 'string' && !/^(?:balancer|srv):/.test(upstream))
      tryConnection(parseAddress(upstream), logger)
}

function tryConnection(address: Address, logger: Logger): void {
  const { kind: _, name, ...where } = address
  const socket = connect(where as NetConnectOpts)
  // This look must not keep the process from ending.
  socket.unref().setTimeout(ANSWER_TIME)
  socket.once('connect', () => socket.destroy())
  socket.once('timeout', () => {
    socket.destroy(Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' }))
  })
  socket.once('error', (error) => {
    const err = connectError(address, error)
    logger.warn({ err, address: name }, `the upstream does not answer: ${err.message}`)
  })
}
