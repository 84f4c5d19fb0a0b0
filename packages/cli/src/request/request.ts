// The command `fastcgi request`: sends one request and prints the response.
import { pipeline } from 'node:stream/promises'
import { FastCGIClient, type FastCGIRequest, type FastCGIResponse } from '@fastcgi/client'
import { parseOptions, runCommand, upstreamAddress } from '../command-line.ts'
import {
  REQUEST_OPTIONS,
  REQUEST_OPTIONS_USAGE,
  requestOf,
  timeoutOf,
  tlsOf,
} from './request-options.ts'

const USAGE = `fastcgi request --upstream ADDRESS --script FILE [options]
${REQUEST_OPTIONS_USAGE}
  --timeout MS               time limit between two reads or writes (default 60000)
  --head | --no-head         print status and fields before the body (default: yes)

Exit code: 0 for a whole response with a status below 400, 1 for anything else, 2 for a wrong option.`

const OPTIONS = { ...REQUEST_OPTIONS, head: { type: 'boolean' } } as const

/** `fastcgi request`: sends one request; prints the response to stdout, and STDERR of the application to stderr. */
export async function request(args: string[]): Promise<void> {
  await runCommand('request', async () => {
    const { values } = parseOptions(args, OPTIONS)
    if (values.help) {
      console.log(USAGE)
      return
    }
    const timeout = timeoutOf(values, 60_000)
    const client = new FastCGIClient(upstreamAddress(values.upstream), {
      reuse: false,
      ...tlsOf(values),
      timeouts: { head: timeout, idle: timeout, write: timeout },
    })
    try {
      await send(client, await requestOf(values), values.head ?? true)
    } finally {
      await client.close()
    }
  })
}

async function send(client: FastCGIClient, init: FastCGIRequest, head: boolean): Promise<void> {
  const response = await client.request(init)
  await pipeline(output(response, head), process.stdout, { end: false })
  if (response.status >= 400 || response.appStatus !== 0) process.exitCode = 1
}

/** The output for stdout. Lines of STDERR are printed to stderr as they arrive. */
async function* output(response: FastCGIResponse, head: boolean): AsyncGenerator<Buffer> {
  let shown = 0
  const showStderr = (): void => {
    for (; shown < response.stderr.length; shown++) console.error(response.stderr[shown])
  }
  if (head) yield Buffer.from(headOf(response), 'latin1')
  for await (const chunk of response.body) {
    showStderr()
    yield chunk
  }
  showStderr()
}

/** The head in the form of a CGI response. */
function headOf({ status, reason, headers }: FastCGIResponse): string {
  let head = `Status: ${status} ${reason}`.trimEnd()
  for (let at = 0; at < headers.length; at += 2) head += `\r\n${headers[at]}: ${headers[at + 1]}`
  return `${head}\r\n\r\n`
}
