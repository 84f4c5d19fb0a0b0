// Where lines are written to.
import pino from 'pino'

type Destination = ReturnType<typeof pino.destination>

/**
 * Writes to a file descriptor, synchronously. A reader that is gone, such as a terminal that was closed, must not end the
 * server: its lines are lost.
 */
export function destination(fd: 1 | 2): Destination {
  return pino.destination({ dest: fd, sync: true }).on('error', () => {})
}
