import { FastCGIClient } from '@fastcgi/client'
import { parseOptions, runCommand, upstreamAddress } from './command-line.ts'
import {
  REQUEST_OPTIONS,
  REQUEST_OPTIONS_USAGE,
  type RequestValues,
  requestOf,
  timeoutOf,
} from './request-options.ts'

const USAGE = `fastcgi ping --upstream ADDRESS [options]

Asks with FCGI_GET_VALUES, which php-fpm and libfcgi answer; other applications need a request to answer to:
${REQUEST_OPTIONS_USAGE}
  --timeout MS               how long it may take (default 3000)

Exit code: 0 if it answers (to a request, with a status below 500), 1 if not, 2 for a wrong option.`

/** `fastcgi ping`: one line that says how an application answers; none at all is an error. */
export async function ping(args: string[]): Promise<void> {
  await runCommand('ping', async () => {
    const values = parseOptions(args, REQUEST_OPTIONS)
    if (values.help) {
      console.log(USAGE)
      return
    }
    const client = new FastCGIClient(upstreamAddress(values.upstream), { reuse: false })
    const begun = performance.now()
    try {
      const answer = await (asksNothing(values) ? askValues : askRequest)(client, values)
      console.log(`answers after ${Math.ceil(performance.now() - begun)} ms: ${answer}`)
    } finally {
      await client.destroy()
    }
  })
}

/** Whether there is nothing among the options that a request could be made of. */
function asksNothing({ upstream, timeout, help, ...request }: RequestValues): boolean {
  return Object.keys(request).length === 0
}

async function askValues(client: FastCGIClient, values: RequestValues): Promise<string> {
  const answer = await client.getValues({ timeout: timeoutOf(values, 3000) })
  const pairs = Object.entries(answer).map(([name, value]) => `${name}=${value}`)
  return pairs.join(' ') || 'it knows no variables'
}

async function askRequest(client: FastCGIClient, values: RequestValues): Promise<string> {
  const limit = timeoutOf(values, 3000)
  const signal = AbortSignal.timeout(limit)
  try {
    const response = await client.request({ ...(await requestOf(values)), signal })
    const body = await response.text()
    if (response.status >= 500) throw new Error(`status ${response.status} ${response.reason}`)
    return `status ${response.status}, ${Buffer.byteLength(body)} bytes`
  } catch (error) {
    throw signal.aborted
      ? new Error(`no whole answer within ${limit} ms (option --timeout)`)
      : error
  }
}
