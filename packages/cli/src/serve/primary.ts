// The primary process of `fastcgi serve`: starts PHP and the workers, and follows signals.
import { createLogger } from '../output/logger.ts'
import type { Settings } from '../settings/settings.ts'
import { RunningSite } from './running-site.ts'
import { onReloadSignal, stopSignal } from './signals.ts'
import { reportSilence } from './silence.ts'
import { inheritedSocket, notifySystemd } from './systemd.ts'

/** Runs until SIGTERM or SIGINT, and the running requests after it. @param load loads the settings. */
export async function runPrimary(load: () => Promise<Settings>): Promise<void> {
  const socket = inheritedSocket(process.env)
  const settings = await load()
  const logger = createLogger(settings)
  for (const warning of settings.warnings) logger.warn({}, warning)
  // Before the line that says it is ready: a program that waits for that line may send a signal immediately.
  const stopped = stopSignal()
  const site = new RunningSite(logger, socket)
  const url = await Promise.race([site.start(settings), stopped])
  if (url === undefined) {
    await site.end()
    return
  }
  console.log(`fastcgi: ${url}/ serves ${siteLine(settings)} through ${site.through}`)
  onReloadSignal(() => void site.reload(load))
  await notifySystemd('READY=1')
  reportSilence(settings, logger)
  await stopped
  logger.info({}, 'ending after the running requests; a second signal ends at once')
  await Promise.all([notifySystemd('STOPPING=1'), site.end()])
  logger.info({}, 'ended')
}

function siteLine({ root, site }: Settings): string {
  return `${root} (${site.title}${site.by === undefined ? '' : `, by ${site.by}`})`
}
