// The command `fastcgi ping`: checks whether an application answers.
import { setTimeout as delay } from 'node:timers/promises'
import { FastCGIClient } from '@fastcgi/client'
import { parseOptions, runCommand, upstreamAddress, wholeNumber } from '../command-line.ts'
import {
  REQUEST_OPTIONS,
  REQUEST_OPTIONS_USAGE,
  type RequestValues,
  requestOf,
  timeoutOf,
  tlsOf,
} from './request-options.ts'

const USAGE = `fastcgi ping --upstream ADDRESS [options]

Sends FCGI_GET_VALUES, which php-fpm and libfcgi answer. Other applications need a request, described by these options:
${REQUEST_OPTIONS_USAGE}
  --timeout MS               time limit for the whole answer (default 3000)
  --watch                    ask again and again, one line each, until Ctrl+C
  --interval MS              time between two questions (default 1000)

Exit code: 0 if it answers (to a request, with a status below 500), 1 if not, 2 for a wrong option.`

const OPTIONS = {
  ...REQUEST_OPTIONS,
  watch: { type: 'boolean' },
  interval: { type: 'string' },
} as const

/** `fastcgi ping`: prints one line about the answer of an application; no answer is an error. */
export async function ping(args: string[]): Promise<void> {
  await runCommand('ping', async () => {
    const { values } = parseOptions(args, OPTIONS)
    const { watch, interval, ...request } = values
    if (request.help) {
      console.log(USAGE)
      return
    }
    const pause = wholeNumber('interval', interval, 86_400_000) ?? 1000
    if (watch) await watchAnswers(request, pause)
    else console.log(await answerOf(request))
  })
}

/** Asks again and again, until a signal ends it. The exit code is that of the last answer. */
async function watchAnswers(values: RequestValues, pause: number): Promise<void> {
  upstreamAddress(values.upstream)
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort())
  while (!stop.signal.aborted) {
    const line = await answerOf(values).then(
      (answer) => ({ text: answer, code: 0 }),
      (error: Error) => ({ text: `no answer: ${error.message}`, code: 1 }),
    )
    process.exitCode = line.code
    console.log(`${new Date().toISOString()} ${line.text}`)
    await delay(pause, undefined, { signal: stop.signal }).catch(() => {})
  }
}

/** Asks once. @throws if there is no answer. */
async function answerOf(values: RequestValues): Promise<string> {
  const client = new FastCGIClient(upstreamAddress(values.upstream), {
    reuse: false,
    ...tlsOf(values),
  })
  const start = performance.now()
  try {
    const answer = await (hasNoRequestOptions(values) ? askValues : askRequest)(client, values)
    return `answers after ${Math.ceil(performance.now() - start)} ms: ${answer}`
  } finally {
    await client.destroy()
  }
}

/** Whether none of the options describes a request. */
function hasNoRequestOptions({ upstream, timeout, help, ...request }: RequestValues): boolean {
  return Object.keys(request).every((name) => name.startsWith('upstream-'))
}

async function askValues(client: FastCGIClient, values: RequestValues): Promise<string> {
  const answer = await client.getValues({ timeout: timeoutOf(values, 3000) })
  const pairs = Object.entries(answer).map(([name, value]) => `${name}=${value}`)
  return pairs.join(' ') || 'without any variables'
}

async function askRequest(client: FastCGIClient, values: RequestValues): Promise<string> {
  const timeout = timeoutOf(values, 3000)
  const signal = AbortSignal.timeout(timeout)
  try {
    const response = await client.request({ ...(await requestOf(values)), signal })
    const body = await response.text()
    if (response.status >= 500) throw new Error(`status ${response.status} ${response.reason}`)
    return `status ${response.status}, ${Buffer.byteLength(body)} bytes`
  } catch (error) {
    throw signal.aborted
      ? new Error(`no complete answer within ${timeout} ms (option --timeout)`)
      : error
  }
}
