/**
 * A table of spellings of private paths: however a client writes them, and with whatever method, nothing private is run or
 * sent before the guard has been asked, which here always says no. nginx answers the same table; docs/spellings.md has both.
 * FCGI_TEST_WRITE=1 writes the document anew.
 */
import { type ClientHttp2Session, connect } from 'node:http2'
import t, { type Test } from 'tap'
import { type Site, STARTERS, type StartedSite, site } from '../helpers/guarded-sites.ts'
import { FASTCGI_CONF, startNginx } from '../helpers/nginx.ts'
import { PRIVATE_METHODS, PRIVATE_TARGETS, SECRET } from '../helpers/private-tree.ts'
import { rawRequest } from '../helpers/raw-http.ts'
import {
  type Answers,
  cellOf,
  committedRows,
  rowsOf,
  writeRows,
} from '../helpers/spelling-table.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { needsWebServer } from '../helpers/web-servers.ts'

nothingEscapes()

type Ask = (method: string, target: string) => Promise<{ status: number; text: string }>

const overHTTP1 =
  (port: number): Ask =>
  (method, target) =>
    rawRequest(port, `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)

/** Requests on one HTTP/2 connection, whose `:path` is the target as it is. */
function overHTTP2(session: ClientHttp2Session): Ask {
  return (method, target) =>
    new Promise((resolve) => {
      const stream = session.request({ ':method': method, ':path': target }, { endStream: true })
      let status = 0
      let text = ''
      stream.setEncoding('latin1')
      stream.once('response', (headers) => {
        status = Number(headers[':status'])
      })
      stream.on('data', (chunk) => {
        text += chunk
      })
      // Targets that are malformed in HTTP/2 end in RST_STREAM, which leaves the status 0.
      stream.on('error', () => {})
      stream.once('close', () => resolve({ status, text }))
    })
}

/** Sends the whole table. @returns the status of each answer, or LEAK where the answer has something private in it. */
async function answersTo(ask: Ask, methods = PRIVATE_METHODS): Promise<Answers> {
  const answers = new Map<string, string>()
  for (const method of methods) {
    const left = [...PRIVATE_TARGETS]
    const work = async (): Promise<void> => {
      for (let target = left.shift(); target !== undefined; target = left.shift()) {
        const { status, text } = await ask(method, target)
        answers.set(`${method} ${target}`, text.includes(SECRET) ? 'LEAK' : String(status))
      }
    }
    await Promise.all(Array.from({ length: 8 }, work))
  }
  return answers
}

/** Whether a front controller, which routes by REQUEST_URI itself, could take a target for a private one. */
function isPrivate(uri: string): boolean {
  let path = uri.replace(/^[a-z]+:\/\/[^/]*/i, '').replace(/[?#].*$/, '')
  try {
    path = Buffer.from(
      path.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
      'latin1',
    ).toString()
  } catch {}
  const kept: string[] = []
  for (const segment of path.split('/'))
    if (segment === '..') kept.pop()
    else if (segment !== '' && segment !== '.') kept.push(segment)
  return kept[0]?.toLowerCase() === 'private'
}

/** The answers of each kind of guard, without a front controller. */
const answered = new Map<string, Answers>()

const leaksOf = (answers: Answers): string[] =>
  [...answers].filter(([, answer]) => answer === 'LEAK').map(([request]) => request)

for (const [name, start] of Object.entries(STARTERS))
  for (const front of [false, true])
    t.test(`${name}${front ? ', behind a front controller' : ''}`, async (t) => {
      const made: Site = await site(t, front)
      const started: StartedSite = await start(made)
      const session = started.http2 ? connect(`http://127.0.0.1:${started.port}`) : undefined
      const ask = session === undefined ? overHTTP1(started.port) : overHTTP2(session)
      t.teardown(async () => {
        session?.destroy()
        await started.close()
      })
      // A front controller gets the same from all methods but GET, HEAD and, in a scope of Fastify, those of its routes.
      const answers = await answersTo(ask, front ? ['GET', 'POST', 'PURGE'] : PRIVATE_METHODS)
      if (!front) answered.set(name, answers)
      const ran = made.application.requests.map(({ params }) => params.REQUEST_URI ?? '')
      const leaks = [...leaksOf(answers), ...ran.filter(isPrivate)]
      t.strictSame(leaks, [], `${answers.size} requests`)
      t.equal((await ask('GET', '/x.php')).status, 200, 'what is open stays open')
    })

for (const kind of ['guards', 'deny'])
  t.test(`${kind}: the same answers under each adapter`, async (t) => {
    const all = (name: string): string[] =>
      PRIVATE_TARGETS.map(
        (target) => `${target}: ${cellOf(answered.get(name) ?? new Map(), target)}`,
      )
    t.strictSame(all(`express, ${kind}`), all(`node:http, ${kind}`))
    t.strictSame(all(`fastify, ${kind}`), all(`node:http, ${kind}`))
  })

/** The tree behind nginx, with the guard that always says no. */
async function answersOfNginx(t: Test): Promise<Answers> {
  const { application, options } = await site(t, false)
  const script = `fastcgi_split_path_info ^(.+?\\.php)(/.*)$; try_files $fastcgi_script_name =404;
    fastcgi_pass ${application.address.replace(/^(?:fcgi|tcp):\/\//, '')}; ${FASTCGI_CONF}`
  const port = await startNginx(
    t,
    `root ${options.root}; index index.php;
    location = /guard { internal; return 403; }
    location /private/ {
      auth_request /guard;
      location ~ [^/]\\.php(/|$) { ${script} }
    }
    location ~ [^/]\\.php(/|$) { ${script} }
    location / {}`,
  )
  return answersTo(overHTTP1(port))
}

const { skip } = needsWebServer('nginx')

t.test('docs/spellings.md has all answers, and those of nginx beside them', async (t) => {
  const nginx = skip === false ? await answersOfNginx(t) : undefined
  if (nginx !== undefined) t.strictSame(leaksOf(nginx), [], 'nginx')
  const ours = [
    'fastify, a guard in a scope',
    'express, a guard on a mount',
    'node:http, guards',
    'node:http, deny',
  ]
  const rows = rowsOf([nginx, ...ours.map((name) => answered.get(name))])
  if (process.env.FCGI_TEST_WRITE === '1' && nginx !== undefined) writeRows(rows)
  const compared = (table: string[][]): string[][] =>
    nginx === undefined ? table.map((row) => row.filter((_, at) => at !== 1)) : table
  t.strictSame(compared(committedRows()), compared(rows))
})
