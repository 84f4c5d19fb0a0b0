/**
 * The same random requests through nginx and through each adapter into one application: which script they lead to, with
 * which PATH_INFO, QUERY_STRING and REQUEST_URI, and the class of the status. Where they differ, it is one of the kinds of
 * test/helpers/request-differences.ts. FCGI_TEST_COUNT=20000 makes more requests, FCGI_TEST_SEED repeats those of a run.
 */
import { fastcgiServerOptions } from '@fastcgi/fastify'
import type { Express } from 'express'
import t, { type Test } from 'tap'
import { ADAPTERS, type AdapterName, startAdapter } from '../helpers/adapters.ts'
import { exchangeAll, type WireResponse } from '../helpers/keep-alive-client.ts'
import { FASTCGI_CONF, startNginx } from '../helpers/nginx.ts'
import { Random } from '../helpers/random.ts'
import { type RandomRequest, randomRequest, requestTree } from '../helpers/random-requests.ts'
import { type Outcome, requestKind } from '../helpers/request-differences.ts'
import { allAtOnce, endRecord, response, startPeer } from '../helpers/scripted-peer.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { needsWebServer } from '../helpers/web-servers.ts'

nothingEscapes()

const COUNT = Number(process.env.FCGI_TEST_COUNT ?? 2000)
const SEED = Number(process.env.FCGI_TEST_SEED ?? 15)

/** Sites without and with a front controller; each gets half of the requests. */
const SITES = { scripts: undefined, 'front controller': '/index.php' } as const

const COMPARED = ['SCRIPT_FILENAME', 'SCRIPT_NAME', 'PATH_INFO', 'QUERY_STRING', 'REQUEST_URI']

/** As Debian's snippets/fastcgi-php.conf has it. */
const configuration = (root: string, upstream: string, fallback: string): string => `
  root ${root}; index index.php;
  location / { try_files $uri $uri/ ${fallback}; }
  location ~ [^/]\\.php(/|$) {
    fastcgi_split_path_info ^(.+?\\.php)(/.*)$;
    try_files $fastcgi_script_name ${fallback};
    set $path_info $fastcgi_path_info;
    fastcgi_param PATH_INFO $path_info;
    fastcgi_index index.php;
    ${FASTCGI_CONF}
    fastcgi_pass ${upstream};
  }`

/** An application that responds with the params that it got. */
async function recorder(t: Test): Promise<string> {
  const peer = await startPeer(
    allAtOnce(async (request, connection) => {
      await request.stdin()
      const params = COMPARED.map((name) => request.params[name] ?? '')
      const bytes = response(`params ${JSON.stringify(params)}`, request.id)
      connection.write(bytes, endRecord(0, 0, request.id))
      if (!request.keepConnection) connection.finish()
    }),
  )
  t.teardown(() => peer.close())
  return peer.address
}

function outcome({ method }: RandomRequest, { status, body, fault }: WireResponse): Outcome {
  const recorded = body.startsWith('params ') ? (JSON.parse(body.slice(7)) as string[]) : undefined
  const values = Object.fromEntries((recorded ?? []).map((value, at) => [COMPARED[at], value]))
  // The bodies of errors and redirects differ.
  const file = recorded === undefined && status < 300 && method !== 'HEAD' ? body : undefined
  const outcome = { status: Math.floor(status / 100), ...values, ...(file && { file }) }
  // Fastify sends a body to a malformed HEAD, and closes the connection.
  return fault === undefined || status >= 400 ? outcome : { ...outcome, fault }
}

const same = (one: Outcome, other: Outcome): boolean =>
  JSON.stringify(one) === JSON.stringify(other)

async function run(t: Test, name: keyof typeof SITES): Promise<void> {
  t.comment(`seed ${SEED} (FCGI_TEST_SEED), ${COUNT / 2} requests (half of FCGI_TEST_COUNT)`)
  const random = new Random(SEED + name.length)
  const requests = Array.from({ length: COUNT / 2 }, () => randomRequest(random))
  const root = requestTree(t)
  const upstream = await recorder(t)
  const frontController = SITES[name]
  const fallback = frontController === undefined ? '=404' : `${frontController}$is_args$args`
  const nginx = await startNginx(t, configuration(root, upstream, fallback))
  const theirs = (await exchangeAll(nginx, requests)).map((given, at) =>
    outcome(requests[at] as RandomRequest, given),
  )
  for (const adapter of ADAPTERS) {
    const options = {
      upstream,
      root,
      static: true,
      fastifyOptions: fastcgiServerOptions,
      express: (app: Express) => void app.set('env', 'test'),
      ...(frontController && { frontController }),
    }
    const { port } = await startAdapter(t, adapter, options)
    const ours = await exchangeAll(port, requests)
    report(t, adapter, requests, ours, theirs)
  }
}

function report(
  t: Test,
  adapter: AdapterName,
  requests: readonly RandomRequest[],
  responses: readonly WireResponse[],
  theirs: readonly Outcome[],
): void {
  const counts: Record<string, number> = {}
  const unexplained: object[] = []
  for (const [at, request] of requests.entries()) {
    const ours = outcome(request, responses[at] as WireResponse)
    const nginx = theirs[at] as Outcome
    if (same(ours, nginx)) continue
    const kind = requestKind({ request, ours, nginx })
    if (kind === undefined) unexplained.push({ request: request.bytes, ours, nginx })
    else counts[kind] = (counts[kind] ?? 0) + 1
  }
  for (const [kind, count] of Object.entries(counts)) t.comment(`${adapter}: ${count} × ${kind}`)
  t.strictSame(unexplained.slice(0, 10), [], `${adapter}: ${unexplained.length} unexplained`)
}

for (const name of Object.keys(SITES) as Array<keyof typeof SITES>)
  t.test(`random requests: ${name}`, needsWebServer('nginx'), (t) => run(t, name))
