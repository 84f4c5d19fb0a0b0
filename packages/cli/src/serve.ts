import pino, { type Logger } from 'pino'
import pretty from 'pino-pretty'
import { runCommand } from './command-line.ts'
import { parseServeOptions, SERVE_USAGE, type ServeOptions } from './serve-options.ts'

/** `fastcgi serve`: one line on stdout when it is ready, logs on stderr, ends on SIGTERM or SIGINT when all is answered. */
export async function serve(args: string[]): Promise<void> {
  await runCommand('serve', async () => {
    const options = parseServeOptions(args)
    if (options === 'help') console.log(SERVE_USAGE)
    else await run(options)
  })
}

async function run(options: ServeOptions): Promise<void> {
  // Only now: the frameworks take longer to load than it takes to say what is wrong with an option.
  const { startServer } = await import('./servers.ts')
  // Before the line that says it is ready: whoever waits for that may send a signal at once.
  const stopped = stopSignal()
  const server = await startServer(options, createLogger(options))
  const { root, upstream } = options.gateway
  console.log(`fastcgi: ${server.url}/ serves ${root} through ${upstream}`)
  await stopped
  await server.close()
}

/** JSON for machines, readable lines for a terminal; written at once, so that nothing is lost at the end. */
function createLogger({ logLevel }: ServeOptions): Logger {
  const level = { level: logLevel }
  if (process.stderr.isTTY)
    return pino(level, pretty({ destination: 2, sync: true, ignore: 'pid,hostname' }))
  return pino(level, pino.destination({ dest: 2, sync: true }))
}

/** Resolves with the first SIGTERM or SIGINT. The second, of either kind, then ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    const stop = (): void => {
      process.off('SIGTERM', stop).off('SIGINT', stop)
      resolve()
    }
    process.on('SIGTERM', stop).on('SIGINT', stop)
  })
}
