// The command `fastcgi serve`: serves a directory over HTTP until a signal ends it.
import cluster from 'node:cluster'
import { runCommand } from '../command-line.ts'
import { serveArguments } from '../settings/arguments.ts'
import { loadSettings } from '../settings/settings.ts'
import { serveUsage } from '../settings/usage.ts'

/**
 * `fastcgi serve`: prints one line to stdout when it is ready and logs to stderr; ends on SIGTERM or SIGINT, after the running
 * requests. The workers run the same command line.
 */
export async function serve(args: string[]): Promise<void> {
  const load = () => loadSettings(serveArguments(args), process.env, process.stderr.isTTY === true)
  if (cluster.isWorker) {
    const { runWorker } = await import('./worker.ts')
    runWorker(load)
    return
  }
  await runCommand('serve', async () => {
    if (serveArguments(args).help) console.log(serveUsage())
    else {
      const { runPrimary } = await import('./primary.ts')
      await runPrimary(load)
    }
  })
}
