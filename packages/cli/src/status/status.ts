// The command `fastcgi status`: shows the status page of a server as a table.
import { setTimeout as delay } from 'node:timers/promises'
import { OptionError } from '@fastcgi/client'
import type { StatusSnapshot } from '@fastcgi/gateway/internal'
import { parseOptions, runCommand, wholeNumber } from '../command-line.ts'
import { statusTable } from './table.ts'

const USAGE = `fastcgi status URL [options]

Shows the status page of a server (fastcgi serve --status-page PATH, or fastcgiStatus in an application) as a table.

  --watch                    draw it again and again, until Ctrl+C
  --interval MS              time between two drawings (default 1000)
  --json                     print the JSON instead
  --header 'NAME: VALUE'     field to send, such as Authorization; can be repeated`

const OPTIONS = {
  watch: { type: 'boolean' },
  interval: { type: 'string' },
  json: { type: 'boolean' },
  header: { type: 'string', multiple: true },
  help: { type: 'boolean', short: 'h' },
} as const

/** Milliseconds that the server has for its answer. */
const ANSWER_TIME = 5000
/** Moves the cursor to the top and clears what is below it, as well as the lines that have left the screen. */
const CLEAR = '\x1b[H\x1b[J'

/** `fastcgi status`: the exit code is 1 if the URL shows no status. */
export async function status(args: string[]): Promise<void> {
  await runCommand('status', async () => {
    const { values, positionals } = parseOptions(args, OPTIONS, true)
    if (values.help) {
      console.log(USAGE)
      return
    }
    const url = urlOf(positionals)
    const headers = headersOf(values.header ?? [])
    const show = async (): Promise<string> => {
      const text = await fetchStatus(url, headers)
      return values.json ? text : statusTable(JSON.parse(text) as StatusSnapshot)
    }
    const pause = wholeNumber('interval', values.interval, 86_400_000) ?? 1000
    if (values.watch) await watch(show, pause)
    else process.stdout.write(await show())
  })
}

async function watch(show: () => Promise<string>, pause: number): Promise<void> {
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort())
  while (!stop.signal.aborted) {
    const text = await show().catch((error: Error) => `${error.message}\n`)
    process.stdout.write(`${process.stdout.isTTY ? CLEAR : ''}${text}`)
    await delay(pause, undefined, { signal: stop.signal }).catch(() => {})
  }
}

function urlOf([text, ...others]: string[]): URL {
  if (text === undefined || others.length > 0)
    throw new OptionError('give one URL, such as http://127.0.0.1:8080/fastcgi-status')
  const whole = text.includes('://') ? text : `http://${text}`
  if (!URL.canParse(whole)) throw new OptionError(`${text} is no URL`)
  const url = new URL(whole)
  url.searchParams.set('format', 'json')
  return url
}

function headersOf(fields: readonly string[]): Array<[string, string]> {
  return fields.map((field) => {
    const at = field.indexOf(':')
    if (at < 1)
      throw new OptionError(`option --header must be 'NAME: VALUE'; got ${JSON.stringify(field)}`)
    return [field.slice(0, at), field.slice(at + 1).trim()]
  })
}

async function fetchStatus(url: URL, headers: Array<[string, string]>): Promise<string> {
  const signal = AbortSignal.timeout(ANSWER_TIME)
  const response = await fetch(url, { headers, signal }).catch((error: Error) => {
    const { cause = error } = error as { cause?: unknown }
    throw new Error(`${url.host} does not answer: ${(cause as Error).message}`)
  })
  const type = response.headers.get('content-type') ?? 'no type'
  if (!response.ok) throw new Error(`${url.href} answers ${response.status} ${response.statusText}`)
  if (!type.startsWith('application/json'))
    throw new Error(
      `${url.href} is no status page (${type}); its path is the option --status-page of serve`,
    )
  return response.text()
}
