/** GETs of pages whose bytes are known: on connections of their own, on kept ones, in HTTP/1.0, and slowly read. */
import type { Agent } from 'node:http'
import { rawRequest } from '../../helpers/raw-http.ts'
import { within } from '../../helpers/wait.ts'
import { content } from '../content.ts'
import { exchange, LIMIT } from './exchange.ts'
import { judgeGet, ONE_PIECE } from './judge.ts'
import type { Load, LoadContext } from './load.ts'

interface Page {
  path: string
  expected: Buffer
}

function page({ random, id }: LoadContext, most: number, wait: number): Page {
  const key = id()
  const size = random.between(0, most)
  const length = random.chance(50) ? '&length' : ''
  const path = `/page.php?n=${size}&key=${key}&wait=${random.between(0, wait)}${length}`
  return { path, expected: content(key, size) }
}

export const get: Load = async (context) => {
  const { path, expected } = page(context, ONE_PIECE, 20)
  judgeGet(context.report, 'GETs', await exchange(context.port, path), expected)
}

export const longGet: Load = async (context) => {
  const { path, expected } = page(context, 600_000, 5)
  judgeGet(context.report, 'GETs, long', await exchange(context.port, path), expected)
}

export const slowGet: Load = async (context) => {
  const { path, expected } = page(context, 3_000_000, 0)
  const reply = await exchange(context.port, path, { pace: context.random.between(5, 25) })
  judgeGet(context.report, 'GETs, slowly read', reply, expected)
}

/** A server may close a kept connection at any time; what met that is sent again, as by any client. */
export const keptGet =
  (agent: Agent): Load =>
  async (context) => {
    const { path, expected } = page(context, ONE_PIECE, 5)
    let reply = await exchange(context.port, path, { agent })
    for (let tries = 0; reply.end === 'none' && reply.reused && tries < 5; tries++) {
      context.report.count('kept connections of clients that had been closed')
      reply = await exchange(context.port, path, { agent })
    }
    judgeGet(context.report, 'GETs, kept connections', reply, expected)
  }

/** Without a length, the end of the connection is the end of the body, and a reset is none. */
export const oldGet: Load = async (context) => {
  const { path, expected } = page(context, ONE_PIECE, 5)
  const asked = rawRequest(context.port, `GET ${path} HTTP/1.0\r\n\r\n`)
  const { status, headers, body, end } = await within(`GET ${path}`, asked, LIMIT)
  const length = headers['content-length']
  const whole = end === 'end' && (length === undefined || Number(length) === body.length)
  judgeGet(
    context.report,
    'GETs, HTTP/1.0',
    {
      status,
      body: Buffer.from(body, 'latin1'),
      end: status === 0 ? 'none' : whole ? 'whole' : 'cut',
      error: end,
    },
    expected,
  )
}
