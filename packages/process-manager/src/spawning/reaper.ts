import { type ChildProcess, spawn } from 'node:child_process'

/**
 * Reads what is there, one line each (+ and - process groups, i and I inodes of listening sockets, f and F files, d and D
 * directories), until the end: that is the end of the process that writes. What is still there then is ended and removed.
 * A child that was started, and not told of any more, is known by the socket that is its standard input.
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

const LETTERS = {
  group: ['+', '-'],
  socket: ['i', 'I'],
  file: ['f', 'F'],
  directory: ['d', 'D'],
} as const

type Kind = keyof typeof LETTERS

/**
 * A shell that ends what this process has left behind, however it ended, SIGKILL included: process groups get SIGTERM,
 * then SIGKILL; sockets, other files and empty directories are removed. It is there as long as there is anything to watch.
 */
class Reaper {
  readonly #watched = new Map<string, { kind: Kind; value: string }>()
  #shell: ChildProcess | undefined

  /** Something is there from now on. */
  watch(kind: Kind, value: string): void {
    this.#watched.set(kind + value, { kind, value })
    if (this.#shell === undefined) this.#start()
    else this.#tell(kind, value, 0)
  }

  /** It is gone. */
  forget(kind: Kind, value: string): void {
    if (!this.#watched.delete(kind + value)) return
    this.#tell(kind, value, 1)
    if (this.#watched.size > 0) return
    this.#shell?.stdin?.end()
    this.#shell = undefined
  }

  #start(): void {
    const shell = spawn('/bin/sh', ['-c', SCRIPT, 'fastcgi-reaper'], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      cwd: '/',
      env: { PATH: '/usr/bin:/bin' },
    })
    this.#shell = shell
    shell.unref()
    const { stdin } = shell
    stdin.on('error', () => {})
    // A socket, though the types do not say so.
    if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
    const ended = (): void => {
      if (this.#shell !== shell) return
      this.#shell = undefined
      if (this.#watched.size > 0) this.#start()
    }
    shell.once('exit', ended).on('error', () => {})
    for (const { kind, value } of this.#watched.values()) this.#tell(kind, value, 0)
  }

  #tell(kind: Kind, value: string, which: 0 | 1): void {
    this.#shell?.stdin?.write(`${LETTERS[kind][which]}${value}\n`)
  }
}

/** The one of this process (or thread). */
export const reaper: Reaper = new Reaper()
