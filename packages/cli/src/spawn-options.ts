import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { OptionError } from '@fastcgi/client'
import { primaryGroup, resolveIdentity, type SharedSpawnOptions } from '@fastcgi/process-manager'

export const SPAWN_USAGE = `fastcgi spawn [options] -- PROGRAM [ARGUMENTS]     (the options of spawn-fcgi)
  -p PORT          listen on a TCP port
  -a ADDRESS       IP address for that (default 0.0.0.0: reachable from outside; 127.0.0.1 is not)
  -s PATH          listen on a unix socket
  -M MODE          its mode, octal (default: read and write for user and group, as far as umask allows)
  -U USER, -G GROUP  its owner (default: those of -u and -g; root only)
  -b BACKLOG       connections that wait until the program takes them (default 1024)
  -u USER, -g GROUP  whom the program runs as (root only; default of -g: the group of the user)
  -c DIR           root directory of the program (root only); the socket is made in there, too
  -S               the socket is made outside of it
  -d DIR           directory of the program (default: this one)
  -C N             sets PHP_FCGI_CHILDREN
  -F N             how many programs share the socket (default 1)
  -P FILE          file for their process ids
  -n               stay in the foreground, with the program's output, until it ends
  --supervise      stay in the foreground and start programs again when they end
  -f "COMMAND"     a command for /bin/sh, in the place of PROGRAM
  -v, -h           version, this help`

const OPTIONS = {
  address: { type: 'string', short: 'a' },
  port: { type: 'string', short: 'p' },
  socket: { type: 'string', short: 's' },
  mode: { type: 'string', short: 'M' },
  'socket-user': { type: 'string', short: 'U' },
  'socket-group': { type: 'string', short: 'G' },
  user: { type: 'string', short: 'u' },
  group: { type: 'string', short: 'g' },
  chroot: { type: 'string', short: 'c' },
  'socket-outside': { type: 'boolean', short: 'S' },
  directory: { type: 'string', short: 'd' },
  children: { type: 'string', short: 'C' },
  forks: { type: 'string', short: 'F' },
  backlog: { type: 'string', short: 'b' },
  'pid-file': { type: 'string', short: 'P' },
  'no-fork': { type: 'boolean', short: 'n' },
  supervise: { type: 'boolean' },
  program: { type: 'string', short: 'f' },
  version: { type: 'boolean', short: 'v' },
  help: { type: 'boolean', short: 'h' },
} as const

type Values = ReturnType<typeof parse>['values']

/** What `fastcgi spawn` is asked to do. */
export interface SpawnCommand {
  spawn: SharedSpawnOptions
  pidFile: string | undefined
  foreground: boolean
  supervise: boolean
  /** What is odd, but no reason to stop. */
  warnings: string[]
}

/** Reads the command line. @throws OptionError */
export function parseSpawnOptions(args: string[]): SpawnCommand | 'help' | 'version' {
  const { values, positionals } = parse(args)
  if (values.help) return 'help'
  if (values.version) return 'version'
  const warnings: string[] = []
  const root = process.getuid?.() === 0
  // As spawn-fcgi: so that the same script works for both.
  for (const name of ['user', 'group', 'socket-user', 'socket-group', 'chroot'] as const)
    if (!root && values[name] !== undefined) {
      warnings.push(`option -${OPTIONS[name].short} is for root only, it is left out`)
      delete values[name]
    }
  const listen = address(values, warnings)
  const supervise = values.supervise ?? false
  const foreground = supervise || (values['no-fork'] ?? false)
  const forks = count('F', values.forks ?? '1', 1000)
  if (foreground && !supervise && forks > 1)
    warnings.push('option -F does not go with -n, but with --supervise: there will be one program')
  return {
    spawn: {
      command: command(values.program, positionals),
      listen,
      socket: {
        backlog: count('b', values.backlog ?? '1024', 65_535),
        mode: values.mode === undefined ? 0o660 & ~process.umask() : octal(values.mode),
        owner: socketOwner(values),
      },
      forks: foreground && !supervise ? 1 : forks,
      ...whom(values),
      chroot: values.chroot,
      cwd: values.directory ?? (values.chroot === undefined ? process.cwd() : undefined),
      copyEnv: Object.keys(process.env),
      env:
        values.children === undefined
          ? {}
          : { PHP_FCGI_CHILDREN: count('C', values.children, 10_000, 0) },
    },
    pidFile: foreground ? undefined : values['pid-file'],
    foreground,
    supervise,
    warnings,
  }
}

function parse(args: string[]) {
  const end = args.indexOf('--')
  const own = (end === -1 ? args : args.slice(0, end)).map((arg) => (arg === '-?' ? '-h' : arg))
  try {
    const { values, positionals } = parseArgs({
      args: own,
      options: OPTIONS,
      allowPositionals: true,
    })
    return { values, positionals: [...positionals, ...(end === -1 ? [] : args.slice(end + 1))] }
  } catch (error) {
    const [first] = (error as Error).message.split(/\.\s/)
    throw new OptionError(`${first}; fastcgi spawn -h shows the options`)
  }
}

function command(shell: string | undefined, program: string[]): string[] {
  if (program.length > 0) return program
  if (shell !== undefined) return ['/bin/sh', '-c', `exec ${shell}`]
  throw new OptionError('no program to start; for instance: -- /usr/bin/php-cgi')
}

function address(values: Values, warnings: string[]): string {
  const { port, socket, address = '0.0.0.0', chroot } = values
  if ((port === undefined) === (socket === undefined))
    throw new OptionError('give either a port (-p) or a socket (-s)')
  if (socket !== undefined) {
    const outside = chroot === undefined || values['socket-outside'] === true
    return `unix:${outside ? resolve(socket) : join(resolve(chroot), socket)}`
  }
  if (!/^(127\.|::1$)/.test(address))
    warnings.push(`everybody who reaches ${address} can have the program do anything (option -a)`)
  return `tcp://${address.includes(':') ? `[${address}]` : address}:${count('p', port ?? '', 65_535)}`
}

function whom({ user, group }: Values): { user?: string; group?: string } {
  if (user === undefined && group !== undefined)
    throw new OptionError(
      'option -g needs -u: a program with the rights of root and another group has all rights',
    )
  if (user === undefined) return {}
  return { user, group: group ?? String(primaryGroup(user)) }
}

function socketOwner(values: Values): { uid: number; gid: number } | undefined {
  const user = values['socket-user'] ?? values.user
  const group =
    values['socket-group'] ?? (values['socket-user'] === undefined ? values.group : undefined)
  if (user === undefined) {
    if (group !== undefined) throw new OptionError('option -G needs -U or -u')
    return undefined
  }
  const { uid, gid } = resolveIdentity(user, group ?? primaryGroup(user))
  return { uid, gid }
}

function octal(text: string): number {
  if (!/^0?[0-7]{1,3}$/.test(text)) throw wrong('M', text, 'an octal mode, such as 0660')
  return Number.parseInt(text, 8)
}

function count(option: string, text: string, most: number, least = 1): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : -1
  if (number < least || number > most)
    throw wrong(option, text, `a whole number, ${least} to ${most}`)
  return number
}

function wrong(option: string, value: string, wanted: string): OptionError {
  return new OptionError(`option -${option} must be ${wanted}; got ${JSON.stringify(value)}`)
}
