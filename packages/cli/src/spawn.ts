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
import { runCommand } from './command-line.ts'
import { parseSpawnOptions, SPAWN_USAGE, type SpawnCommand } from './spawn-options.ts'
import { version } from './version.ts'

/** `fastcgi spawn`: what spawn-fcgi does, with its options, and `--supervise`. */
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
  if (command.foreground) await stay(command)
  else await leave(command)
}

/** Starts the programs and ends; they go on. */
async function leave({ spawn, pidFile }: SpawnCommand): Promise<void> {
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

/** Before anything is started: without it, nobody could end the programs. A file that is there is written anew. */
function openPidFile(path: string): number {
  const { O_CREAT, O_RDWR, O_NOFOLLOW } = files
  const file = openSync(path, O_CREAT | O_RDWR | O_NOFOLLOW, 0o644)
  if (!fstatSync(file).isFile()) throw new OptionError(`option -P: ${path} is no file`)
  ftruncateSync(file)
  return file
}

/** Stays until the programs have ended, or, supervised, until told. */
async function stay({ spawn, supervise }: SpawnCommand): Promise<void> {
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

/** Listens for signals before any program runs; one that comes while they start takes effect once they have started. */
function passSignals(starting: Promise<Foreground>): void {
  const on = (name: NodeJS.Signals, action: (program: Foreground) => void): void => {
    process.on(name, () => void starting.then(action, () => {}))
  }
  for (const name of ['SIGTERM', 'SIGINT'] as const) on(name, (program) => program.stop())
  for (const name of ['SIGUSR1', 'SIGUSR2', 'SIGHUP'] as const)
    on(name, (program) => program.signal(name))
}

/** As shells have it. */
function exitCode({ code, signal }: Exit): number {
  if (signal !== null) return 128 + constants.signals[signal]
  return code === null ? 127 : code
}
