/**
 * The same random response heads of an application through nginx and through each adapter: status, fields and body that the
 * client gets. Where they differ, it is one of the kinds of test/helpers/response-differences.ts. FCGI_TEST_COUNT=5000 makes
 * more responses, FCGI_TEST_SEED repeats those of a run.
 */
import type { Express } from 'express'
import t, { type Test } from 'tap'
import { ADAPTERS, type AdapterName, startAdapter } from '../helpers/adapters.ts'
import { exchangeAll, type WireResponse } from '../helpers/keep-alive-client.ts'
import { FASTCGI_CONF, startNginx } from '../helpers/nginx.ts'
import { Random } from '../helpers/random.ts'
import { type RandomHead, randomHead } from '../helpers/random-heads.ts'
import { type Received, responseKinds } from '../helpers/response-differences.ts'
import { allAtOnce, endRecord, startPeer, stdoutRecords } from '../helpers/scripted-peer.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { needsWebServer } from '../helpers/web-servers.ts'

nothingEscapes()

const COUNT = Number(process.env.FCGI_TEST_COUNT ?? 1000)
const SEED = Number(process.env.FCGI_TEST_SEED ?? 15)

/** An application whose response is chosen by the query. */
async function application(t: Test, heads: readonly RandomHead[]): Promise<string> {
  const peer = await startPeer(
    allAtOnce(async (request, connection) => {
      await request.stdin()
      const { head, body } = heads[Number(request.params.QUERY_STRING)] as RandomHead
      const bytes = stdoutRecords(Buffer.from(head + body, 'latin1'), request.id)
      connection.write(bytes, endRecord(0, 0, request.id))
      if (!request.keepConnection) connection.finish()
    }),
  )
  t.teardown(() => peer.close())
  return peer.address
}

/** Fields of the connection between the server and the client. */
const HOP = new Set(['connection', 'keep-alive', 'transfer-encoding'])
/** Fields that servers add where the application has sent none. */
const ADDED = new Set(['content-length', 'date', 'server'])

function received(
  { lines }: RandomHead,
  { status, fields: flat, body, fault }: WireResponse,
): Received {
  // The page of a server that has refused the response.
  if (status === 502) return { status, fields: {}, body: '' }
  const sent = new Set(lines.map(nameOf))
  const fields: Record<string, string[]> = {}
  for (let at = 0; at < flat.length; at += 2) {
    const name = flat[at]?.toLowerCase() ?? ''
    if (HOP.has(name) || (ADDED.has(name) && !sent.has(name))) continue
    fields[name] = [...(fields[name] ?? []), flat[at + 1] ?? '']
  }
  const sorted = Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1)))
  return { status, fields: sorted, body: fault === undefined ? body : `${fault}: ${body}` }
}

const nameOf = (line: string): string => line.slice(0, Math.max(0, line.indexOf(':'))).toLowerCase()

t.test('random response heads', needsWebServer('nginx'), async (t) => {
  t.comment(`seed ${SEED} (FCGI_TEST_SEED), ${COUNT} responses (FCGI_TEST_COUNT)`)
  const random = new Random(SEED)
  const heads = Array.from({ length: COUNT }, () => randomHead(random))
  const methods = heads.map(() => (random.chance(90) ? 'GET' : 'HEAD'))
  const requests = methods.map((method, at) => ({
    method,
    bytes: `${method} /x.php?${at} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
  }))
  const upstream = await application(t, heads)
  const nginx = await startNginx(t, `location / { ${FASTCGI_CONF} fastcgi_pass ${upstream}; }`)
  const theirs = await exchangeAll(nginx, requests)
  const compare = (adapter: AdapterName, responses: readonly WireResponse[]): void => {
    const counts: Record<string, number> = {}
    const unexplained: object[] = []
    for (const [at, given] of heads.entries()) {
      const ours = received(given, responses[at] as WireResponse)
      const nginx = received(given, theirs[at] as WireResponse)
      if (JSON.stringify(ours) === JSON.stringify(nginx)) continue
      const kinds = responseKinds({ method: methods[at] ?? '', given, ours, nginx })
      if (kinds === undefined) unexplained.push({ head: given.head, ours, nginx })
      for (const kind of kinds ?? []) counts[kind] = (counts[kind] ?? 0) + 1
    }
    for (const [kind, count] of Object.entries(counts)) t.comment(`${adapter}: ${count} × ${kind}`)
    t.strictSame(unexplained.slice(0, 10), [], `${adapter}: ${unexplained.length} unexplained`)
  }
  for (const adapter of ADAPTERS) {
    const express = (app: Express): void => void app.set('env', 'test')
    const options = { upstream, root: '/srv', checkLocal: false, express }
    const { port } = await startAdapter(t, adapter, options)
    const responses = await exchangeAll(port, requests)
    compare(adapter, responses)
    if (adapter !== 'fastify') t.strictSame(changedNames(heads, responses), [], `${adapter}: case`)
  }
})

/** Names that differ from those of the application in their case only. */
function changedNames(
  heads: readonly RandomHead[],
  responses: readonly WireResponse[],
): Array<[head: string, name: string]> {
  return heads.flatMap(({ head, lines }, at) => {
    const names = responses[at]?.fields.filter((_, at) => at % 2 === 0) ?? []
    const sent = lines.map((line) => line.slice(0, line.indexOf(':')))
    const lower = new Set(sent.map((name) => name.toLowerCase()))
    return names
      .filter((name) => !sent.includes(name) && lower.has(name.toLowerCase()))
      .filter((name) => !HOP.has(name.toLowerCase()) && responses[at]?.status !== 502)
      .map((name): [string, string] => [head, name])
  })
}
