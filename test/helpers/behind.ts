/** An adapter in front of a scripted application. */
import type { Test } from 'tap'
import {
  type AdapterName,
  type AdapterOptions,
  type RunningAdapter,
  startAdapter,
} from './adapters.ts'
import { type RawResponse, rawGet, rawRequest } from './raw-http.ts'
import {
  type Content,
  endRecord,
  type Peer,
  type Script,
  startPeer,
  stdoutRecords,
} from './scripted-peer.ts'

export interface Behind {
  peer: Peer
  app: RunningAdapter
  /** GET on a connection of its own. */
  get(target?: string, fields?: string[]): Promise<RawResponse>
  /** Any request on a connection of its own; the fields say Connection: close. */
  send(line: string, fields?: string[], body?: string): Promise<RawResponse>
}

/** Starts both; every path goes to the application. Gone with the test, the adapter first. */
export async function behind(
  t: Test,
  adapter: AdapterName,
  script: Script,
  options: Partial<AdapterOptions> = {},
): Promise<Behind> {
  const peer = await startPeer(script)
  t.teardown(() => peer.close())
  const root = { root: '/srv/www', checkLocal: false }
  const app = await startAdapter(t, adapter, { upstream: peer.address, ...root, ...options })
  return {
    peer,
    app,
    get: (target = '/x.php', fields = []) => rawGet(app.port, target, fields),
    send: (line, fields = [], body = '') => {
      const head = [`${line} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...fields]
      return rawRequest(app.port, `${head.join('\r\n')}\r\n\r\n${body}`)
    },
  }
}

/** A whole response with this head, which needs its empty line, and body. */
export function whole(head: string, body: Content = ''): Buffer {
  return Buffer.concat([
    stdoutRecords(Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body)])),
    endRecord(),
  ])
}

/** What the chunks of a chunked body hold; undefined where its last chunk is missing. */
export function dechunk(body: string): string | undefined {
  let rest = body
  let text = ''
  for (;;) {
    const match = /^([0-9a-f]+)\r\n/i.exec(rest)
    if (match === null) return undefined
    const size = Number.parseInt(match[1] ?? '', 16)
    rest = rest.slice(match[0].length)
    if (size === 0) return rest.startsWith('\r\n') ? text : undefined
    if (rest.length < size + 2) return undefined
    text += rest.slice(0, size)
    rest = rest.slice(size + 2)
  }
}
