// The command `fastcgi spawn`: starts programs on a socket, as spawn-fcgi does.
import {
  closeSync,
  constants as files,
  fstatSync,
  ftruncateSync,
  openSync,
  writeSync,
} from 'node:fs'
import { constants } from 'node:os'
import { OptionError } from '@fastcgi/client'
import { type Exit, type Foreground, runForeground, spawnDetached } from '@fastcgi/process-manager'
import { runCommand } from '../command-line.ts'
import { version } from '../version.ts'
import { parseSpawnOptions, SPAWN_USAGE, type SpawnCommand } from './spawn-options.ts'

/** `fastcgi spawn`: takes the options of spawn-fcgi, and `--supervise`. */
export async function spawn(args: string[]): Promise<void> {
  await runCommand('spawn', async () => {
    const command = parseSpawnOptions(args)
    if (command === 'help') console.log(SPAWN_USAGE)
    else if (command === 'version') console.log(version())
    else await run(command)
  })
}

async function run(command: SpawnCommand): Promise<void> {
  for (const warning of command.warnings) console.error(`fastcgi spawn: ${warning}`)
  if (command.foreground) await runInForeground(command)
  else await runDetached(command)
}

/** Starts the programs, which continue to run after this command has ended. */
async function runDetached({ spawn, pidFile }: SpawnCommand): Promise<void> {
  const file = pidFile === undefined ? undefined : openPidFile(pidFile)
  const spawned = await spawnDetached(spawn)
  const running = spawned.filter(({ exit }) => exit === undefined)
  for (const { pid } of running)
    console.log(`fastcgi spawn: child spawned successfully: PID: ${pid}`)
  for (const { exit, reason } of spawned)
    if (exit !== undefined) {
      console.error(`fastcgi spawn: the program ${reason}`)
      process.exitCode = exitCode(exit)
    }
  if (file === undefined) return
  writeSync(file, running.map(({ pid }) => pid).join('\n'))
  closeSync(file)
}

/** Opens the pid file before any program is started, so that no program runs without one. An existing file is truncated. */
function openPidFile(path: string): number {
  const { O_CREAT, O_RDWR, O_NOFOLLOW } = files
  const file = openSync(path, O_CREAT | O_RDWR | O_NOFOLLOW, 0o644)
  if (!fstatSync(file, { bigint: true }).isFile())
    throw new OptionError(`option -P: ${path} is not a regular file`)
  ftruncateSync(file)
  return file
}

/** Runs the programs until they have ended; with --supervise, until a signal ends them. */
async function runInForeground({ spawn, supervise }: SpawnCommand): Promise<void> {
  const starting = runForeground(
    { ...spawn, supervise },
    {
      onLine: (stream, line) => process[stream].write(`${line}\n`),
      onStarted: (pid) => {
        if (supervise) console.error(`fastcgi spawn: started, pid ${pid}`)
      },
      onExit: (pid, reason, next) => {
        const again = next === undefined ? '' : `; started again in ${Math.ceil(next)} ms`
        if (supervise) console.error(`fastcgi spawn: ${pid ?? 'the program'} ${reason}${again}`)
        else if (pid === undefined) console.error(`fastcgi spawn: the program ${reason}`)
      },
    },
  )
  passSignals(starting)
  const program = await starting
  const exit = await program.ended
  process.exitCode = supervise ? 0 : exitCode(exit)
}

/** Forwards signals to the programs, from before they start; a signal that comes while they start takes effect afterwards. */
function passSignals(starting: Promise<Foreground>): void {
  const on = (name: NodeJS.Signals, action: (program: Foreground) => void): void => {
    process.on(name, () => void starting.then(action, () => {}))
  }
  for (const name of ['SIGTERM', 'SIGINT'] as const) on(name, (program) => program.stop())
  for (const name of ['SIGUSR1', 'SIGUSR2', 'SIGHUP'] as const)
    on(name, (program) => program.signal(name))
}

/** Exit code as shells report it: 128 plus the number of the signal, 127 for a program that could not be started. */
function exitCode({ code, signal }: Exit): number {
  if (signal !== null) return 128 + constants.signals[signal]
  return code === null ? 127 : code
}
