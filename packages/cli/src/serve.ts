// The command `fastcgi serve`: serves a directory over HTTP until a signal ends it.
import pino, { type Logger } from 'pino'
import pretty from 'pino-pretty'
import { runCommand } from './command-line.ts'
import { parseServeOptions, SERVE_USAGE, type ServeOptions } from './serve-options.ts'

/** `fastcgi serve`: prints one line to stdout when it is ready and logs to stderr; ends on SIGTERM or SIGINT, after the running requests. */
export async function serve(args: string[]): Promise<void> {
  await runCommand('serve', async () => {
    const options = parseServeOptions(args)
    if (options === 'help') console.log(SERVE_USAGE)
    else await run(options)
  })
}

async function run(options: ServeOptions): Promise<void> {
  // Imported here, because loading the frameworks takes long, and would delay --help and errors of options.
  const { startServer } = await import('./servers.ts')
  // Before the line that says it is ready: a program that waits for that line may send a signal immediately.
  const stopped = stopSignal()
  const server = await startServer(options, createLogger(options))
  const { root, upstream } = options.gateway
  console.log(`fastcgi: ${server.url}/ serves ${root} through ${upstream}`)
  await stopped
  await server.close()
}

/** Logs JSON, or readable lines if stderr is a terminal. Writes synchronously, so that no line is lost at exit. */
function createLogger({ logLevel }: ServeOptions): Logger {
  const level = { level: logLevel }
  if (process.stderr.isTTY)
    return pino(level, pretty({ destination: 2, sync: true, ignore: 'pid,hostname' }))
  return pino(level, pino.destination({ dest: 2, sync: true }))
}

/** Resolves on the first SIGTERM or SIGINT. A second one then ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    const stop = (): void => {
      process.off('SIGTERM', stop).off('SIGINT', stop)
      resolve()
    }
    process.on('SIGTERM', stop).on('SIGINT', stop)
  })
}
