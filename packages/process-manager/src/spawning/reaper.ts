// Ends the processes, sockets and files of this process after it has died, SIGKILL included.
import { type ChildProcess, spawn } from 'node:child_process'

/**
 * Reads lines that add or remove an item: + and - a process group, i and I the inode of a listening socket, f and F a file,
 * d and D a directory. The end of input means that the writing process has ended; the items that are left are then
 * killed and removed. A child that was started just before, so that its process group was never announced, is found in
 * /proc by the listening socket that is its standard input.
 */
const SCRIPT = `
trap '' HUP INT TERM QUIT
groups=
sockets=
set --
while IFS= read -r line; do
  value=\${line#?}
  case $line in
  +*) groups="$groups $value" ;;
  -*)
    rest=
    for group in $groups; do [ "$group" = "$value" ] || rest="$rest $group"; done
    groups=$rest
    ;;
  i*) sockets="$sockets $value" ;;
  I*)
    rest=
    for socket in $sockets; do [ "$socket" = "$value" ] || rest="$rest $socket"; done
    sockets=$rest
    ;;
  f* | d*) set -- "$@" "$line" ;;
  F* | D*)
    count=$#
    while [ "$count" -gt 0 ]; do
      [ "\${1#?}" = "$value" ] || set -- "$@" "$1"
      shift
      count=$((count - 1))
    done
    ;;
  esac
done
for found in $(ls -l /proc/[0-9]*/fd/0 2>/dev/null |
  sed -n 's|.* /proc/\\([0-9]*\\)/fd/0 -> socket:\\[\\([0-9]*\\)\\]$|\\1:\\2|p'); do
  case "$sockets " in *" \${found#*:} "*) groups="$groups \${found%%:*}" ;; esac
done
for group in $groups; do kill -s TERM -- "-$group"; done 2>/dev/null
for path; do case $path in f*) rm -f -- "\${path#?}" ;; esac; done
for path; do case $path in d*) rmdir -- "\${path#?}" ;; esac; done 2>/dev/null
if [ -n "$groups" ]; then sleep 0.5 2>/dev/null || sleep 1; fi
for group in $groups; do kill -s KILL -- "-$group"; done 2>/dev/null
`

/** Milliseconds until a shell that could not be started is tried again. */
const RETRY_INTERVAL = 1000

const COMMANDS = {
  group: ['+', '-'],
  socket: ['i', 'I'],
  file: ['f', 'F'],
  directory: ['d', 'D'],
} as const

type Kind = keyof typeof COMMANDS

/**
 * A shell that cleans up after this process, however it ended: process groups get SIGTERM, then SIGKILL; sockets, other
 * files and empty directories are removed. It notices the end of this process by the end of its standard input. It runs
 * as long as there are items to watch.
 */
class Reaper {
  readonly #watched = new Map<string, { kind: Kind; value: string }>()
  #shell: ChildProcess | undefined
  #retry: NodeJS.Timeout | undefined

  /** Adds an item to clean up. */
  watch(kind: Kind, value: string): void {
    this.#watched.set(kind + value, { kind, value })
    if (this.#shell === undefined) this.#start()
    else this.#send(kind, value, 0)
  }

  /** Removes an item: it has been cleaned up. */
  unwatch(kind: Kind, value: string): void {
    if (!this.#watched.delete(kind + value)) return
    this.#send(kind, value, 1)
    if (this.#watched.size > 0) return
    this.#shell?.stdin?.end()
    this.#shell = undefined
  }

  #start(): void {
    const shell = startShell()
    // Undefined, which the types do not say, if there were too few file descriptors to start it.
    const stdin = shell?.stdin ?? undefined
    if (shell === undefined || stdin === undefined) {
      shell?.on('error', () => {})
      this.#startLater()
      return
    }
    this.#shell = shell
    shell.unref()
    stdin.on('error', () => {})
    // The pipe is a net.Socket, which the types do not say; it must not keep the event loop alive.
    if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
    const ended = (restart: () => void): void => {
      if (this.#shell !== shell) return
      this.#shell = undefined
      restart()
    }
    shell.once('exit', () => ended(() => this.#startIfNeeded()))
    shell.on('error', () => ended(() => this.#startLater()))
    for (const { kind, value } of this.#watched.values()) this.#send(kind, value, 0)
  }

  #startIfNeeded(): void {
    if (this.#shell === undefined && this.#watched.size > 0) this.#start()
  }

  /** The shell could not be started: tries again in a second, or when the next item is added. */
  #startLater(): void {
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => this.#startIfNeeded(), RETRY_INTERVAL).unref()
  }

  #send(kind: Kind, value: string, which: 0 | 1): void {
    this.#shell?.stdin?.write(`${COMMANDS[kind][which]}${value}\n`)
  }
}

function startShell(): ChildProcess | undefined {
  try {
    return spawn('/bin/sh', ['-c', SCRIPT, 'fastcgi-reaper'], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      cwd: '/',
      env: { PATH: '/usr/bin:/bin' },
    })
  } catch {
    return undefined
  }
}

/** The reaper of this process (or worker thread). */
export const reaper: Reaper = new Reaper()
