// A script that the embedding code names, and that is not there.

import type { RoutedRequest } from './routed-request.ts'

/** Logs that no route leads to the script of a request. What clients name and is not there is no mistake, and not logged. */
export function reportMissingScript<Source>(
  { request, logger, path }: RoutedRequest<Source>,
  routes: ReadonlyArray<{ localFile(path: string): string | undefined }>,
): void {
  if (request.script === undefined) return
  const files = routes.flatMap((route) => route.localFile(path) ?? [])
  const where = files.length === 0 ? '' : `: there is no file ${files.join(', ')}`
  logger.warn(
    {
      phase: 'script',
      option: 'root',
      remedy: 'correct the path in the code, or the option root',
    },
    `the script ${request.script} does not exist${where} (option root)`,
  )
}
