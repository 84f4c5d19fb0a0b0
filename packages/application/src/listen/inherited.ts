// Finds out how the program was started: with a listening socket, or as a CGI program.
import { fstatSync, readFileSync } from 'node:fs'
import { OptionError } from '../options.ts'

/** How the program is to take requests. */
export type Inherited =
  /** On an inherited listening socket. */
  | { kind: 'socket'; fd: number }
  /** A single request, in the environment and on standard input (CGI, RFC 3875). */
  | { kind: 'cgi' }

/** First file descriptor that systemd passes, see sd_listen_fds(3). */
const SD_LISTEN_FDS_START = 3

/**
 * Finds out how the program is to take requests: on the socket of LISTEN_FDS (systemd), on a listening socket on fd 0
 * (FastCGI 1.0 §2.2), or as a CGI program.
 * @throws OptionError if it is none of these, or LISTEN_FDS is more than 1.
 */
export function findInherited(env: NodeJS.ProcessEnv = process.env): Inherited {
  const count = Number(env.LISTEN_FDS ?? 0)
  if (count > 0 && (env.LISTEN_PID === undefined || Number(env.LISTEN_PID) === process.pid)) {
    if (count > 1)
      throw new OptionError(
        `LISTEN_FDS is ${count}: this server listens on one socket; configure one ListenStream`,
      )
    return { kind: 'socket', fd: SD_LISTEN_FDS_START }
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
 * Whether a descriptor is a listening socket. FastCGI 1.0 §2.2 recommends getpeername() and ENOTCONN, which Node does not
 * offer. Trying to listen on it would close the descriptor if it is the input of a CGI program.
 */
function isListeningSocket(fd: number, env: NodeJS.ProcessEnv): boolean {
  const stats = stat(fd)
  if (stats === undefined || !stats.isSocket()) return false
  return isListeningInProc(stats.ino) ?? env.REQUEST_METHOD === undefined
}

function stat(fd: number) {
  try {
    // bigint: in Node 20 and 22, a plain fstatSync() of a socket makes later imports through symbolic links fail.
    return fstatSync(fd, { bigint: true })
  } catch {
    return undefined
  }
}

/** Flag of a listening socket in /proc/net/unix (`__SO_ACCEPTCON`). */
const SO_ACCEPTCON = 0x1_0000
/** State of a listening socket in /proc/net/tcp. */
const TCP_LISTEN = '0A'

/** Looks the socket up in /proc/net of Linux; undefined if that does not exist or does not list it. */
function isListeningInProc(inode: bigint): boolean | undefined {
  const wanted = String(inode)
  for (const row of socketTable('unix'))
    if (row[6] === wanted) return (Number.parseInt(row[3] ?? '', 16) & SO_ACCEPTCON) !== 0
  for (const row of [...socketTable('tcp'), ...socketTable('tcp6')])
    if (row[9] === wanted) return row[3] === TCP_LISTEN
  return undefined
}

function socketTable(name: string): string[][] {
  try {
    const lines = readFileSync(`/proc/self/net/${name}`, 'latin1').split('\n')
    return lines.slice(1).map((line) => line.trim().split(/\s+/))
  } catch {
    return []
  }
}
