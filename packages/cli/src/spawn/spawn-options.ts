// Options of `fastcgi spawn`: those of spawn-fcgi, and --supervise.
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { OptionError } from '@fastcgi/client'
import { primaryGroup, resolveIdentity, type SharedSpawnOptions } from '@fastcgi/process-manager'

/** Help text of `fastcgi spawn`. */
export const SPAWN_USAGE = `fastcgi spawn [options] -- PROGRAM [ARGUMENTS]     (the options of spawn-fcgi)
  -p PORT          listen on a TCP port
  -a ADDRESS       IP address to listen on (default 0.0.0.0, reachable from other machines)
  -s PATH          listen on a unix socket
  -M MODE          file mode of the socket, octal (default: 0660 less the umask)
  -U USER, -G GROUP  owner of the socket (default: those of -u and -g; root only)
  -b BACKLOG       maximum number of connections waiting to be accepted (default 1024)
  -u USER, -g GROUP  user and group of the program (root only; default of -g: the group of the user)
  -c DIR           root directory of the program (root only); the socket is created in it as well
  -S               create the socket outside of it
  -d DIR           working directory of the program (default: the current one)
  -C N             sets PHP_FCGI_CHILDREN
  -F N             number of programs that share the socket (default 1)
  -P FILE          write their process ids to this file
  -n               stay in the foreground, with the program's output, until it ends
  --supervise      stay in the foreground and start programs again when they end
  -f "COMMAND"     a command for /bin/sh, instead of PROGRAM
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

/** Parsed options of `fastcgi spawn`. */
export interface SpawnCommand {
  /** The programs and their socket. */
  spawn: SharedSpawnOptions
  /** File to write process ids to. */
  pidFile: string | undefined
  /** Whether to stay until the programs end. */
  foreground: boolean
  /** Whether to start programs again when they end. */
  supervise: boolean
  /** Warnings to print; the command is run nevertheless. */
  warnings: string[]
}

/** Parses the command line. @throws OptionError that names the option as it is written there. */
export function parseSpawnOptions(args: string[]): SpawnCommand | 'help' | 'version' {
  const { values, positionals } = parse(args)
  if (values.help) return 'help'
  if (values.version) return 'version'
  const warnings: string[] = []
  if (process.getuid?.() !== 0) ignoreRootOptions(values, warnings)
  const listen = address(values, warnings)
  const supervise = values.supervise ?? false
  const foreground = supervise || (values['no-fork'] ?? false)
  const forks = wholeNumber('F', values.forks ?? '1', 1000)
  if (foreground && !supervise && forks > 1)
    warnings.push(
      'option -F is ignored with -n; use --supervise to run several programs in the foreground',
    )
  return {
    spawn: {
      command: command(values.program, positionals),
      listen,
      socket: {
        backlog: wholeNumber('b', values.backlog ?? '1024', 65_535),
        mode: values.mode === undefined ? 0o660 & ~process.umask() : octal(values.mode),
        owner: socketOwner(values),
      },
      forks: foreground && !supervise ? 1 : forks,
      ...programIdentity(values),
      chroot: values.chroot,
      cwd: values.directory ?? (values.chroot === undefined ? process.cwd() : undefined),
      copyEnv: Object.keys(process.env),
      env:
        values.children === undefined
          ? {}
          : { PHP_FCGI_CHILDREN: wholeNumber('C', values.children, 10_000, 0) },
    },
    pidFile: foreground ? undefined : values['pid-file'],
    foreground,
    supervise,
    warnings,
  }
}

/** Removes the options that need root, as spawn-fcgi does, so that scripts written for it work for other users, too. */
function ignoreRootOptions(values: Values, warnings: string[]): void {
  for (const name of ['user', 'group', 'socket-user', 'socket-group', 'chroot'] as const)
    if (values[name] !== undefined) {
      warnings.push(`option -${OPTIONS[name].short} is for root only and is ignored`)
      delete values[name]
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
    warnings.push(
      `anyone who can connect to ${address} can make the program run any script; -a 127.0.0.1 restricts it to this machine`,
    )
  return `tcp://${address.includes(':') ? `[${address}]` : address}:${wholeNumber('p', port ?? '', 65_535)}`
}

function programIdentity({ user, group }: Values): { user?: string; group?: string } {
  if (user === undefined && group !== undefined)
    throw new OptionError(
      'option -g needs -u: with another group alone, the program would still run as root',
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
  if (!/^0?[0-7]{1,3}$/.test(text)) throw invalidOption('M', text, 'an octal mode, such as 0660')
  return Number.parseInt(text, 8)
}

function wholeNumber(option: string, text: string, most: number, least = 1): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : -1
  if (number < least || number > most)
    throw invalidOption(option, text, `a whole number, ${least} to ${most}`)
  return number
}

function invalidOption(option: string, value: string, wanted: string): OptionError {
  return new OptionError(`option -${option} must be ${wanted}; got ${JSON.stringify(value)}`)
}
