import { fstatSync, readFileSync } from 'node:fs'
import { OptionError } from '../options.ts'

/** What the program was started with. */
export type Inherited =
  | { kind: 'socket'; fd: number }
  /** One request, in the environment and on standard input (RFC 3875). */
  | { kind: 'cgi' }

const FIRST_OF_SYSTEMD = 3

/**
 * Finds out how whoever started the program wants it to take requests: LISTEN_FDS (systemd), a listening socket on fd 0
 * (FastCGI 1.0 §2.2), or CGI.
 * @throws OptionError where it is none of them.
 */
export function findInherited(env: NodeJS.ProcessEnv = process.env): Inherited {
  const count = Number(env.LISTEN_FDS ?? 0)
  if (count > 0 && (env.LISTEN_PID === undefined || Number(env.LISTEN_PID) === process.pid)) {
    if (count > 1)
      throw new OptionError(`LISTEN_FDS is ${count}: a server listens on one socket; give it one`)
    return { kind: 'socket', fd: FIRST_OF_SYSTEMD }
  }
  if (isListeningSocket(0, env)) return { kind: 'socket', fd: 0 }
  if (env.GATEWAY_INTERFACE !== undefined && env.REQUEST_METHOD !== undefined)
    return { kind: 'cgi' }
  throw new OptionError(
    'fd 0 is no listening socket, and the environment is not that of a CGI program; ' +
      'let a web server or spawn-fcgi start this program, or choose an address: -mode=tcp -port=9000, -mode=unix -unix=/path',
  )
}

/**
 * What getpeername() tells by ENOTCONN; Node cannot ask it. Listening on it to find out would close it where it is
 * the input of a CGI program.
 */
function isListeningSocket(fd: number, env: NodeJS.ProcessEnv): boolean {
  const stats = stat(fd)
  if (stats === undefined || !stats.isSocket()) return false
  return listensByProc(stats.ino) ?? env.REQUEST_METHOD === undefined
}

function stat(fd: number) {
  try {
    return fstatSync(fd)
  } catch {
    return undefined
  }
}

const ACCEPTS = 0x1_0000
const TCP_LISTEN = '0A'

/** By Linux' tables of sockets; undefined where there are none, or it is not in them. */
function listensByProc(inode: number): boolean | undefined {
  const wanted = String(inode)
  for (const row of table('unix'))
    if (row[6] === wanted) return (Number.parseInt(row[3] ?? '', 16) & ACCEPTS) !== 0
  for (const row of [...table('tcp'), ...table('tcp6')])
    if (row[9] === wanted) return row[3] === TCP_LISTEN
  return undefined
}

function table(name: string): string[][] {
  try {
    const lines = readFileSync(`/proc/self/net/${name}`, 'latin1').split('\n')
    return lines.slice(1).map((line) => line.trim().split(/\s+/))
  } catch {
    return []
  }
}
