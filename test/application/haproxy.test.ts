/** The application side behind HAProxy, which multiplexes. */
import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { Agent, request } from 'node:http'
import t from 'tap'
import { compare } from '../helpers/same-answers.ts'
import { APPS } from '../helpers/sample-apps.ts'
import { needsWebServer, startInFront } from '../helpers/web-servers.ts'

for (const app of APPS)
  t.test(`${app} behind haproxy`, needsWebServer('haproxy'), (t) => compare(t, 'haproxy', app))

/** Seconds of load; 60 for a thorough look. */
const LOAD = Number(process.env.FCGI_TEST_LOAD ?? 5)

t.test(
  `${LOAD} s of load over multiplexed connections: no error`,
  needsWebServer('haproxy'),
  async (t) => {
    const { port, application } = await startInFront(t, 'haproxy', 'express')
    const agent = new Agent({ keepAlive: true, maxSockets: 32 })
    t.teardown(() => agent.destroy())
    const end = performance.now() + LOAD * 1000
    const failures: string[] = []
    let answers = 0
    let mostAtATime = 0
    const client = async (number: number): Promise<void> => {
      for (let n = 0; performance.now() < end; n++) {
        const length = (number * 7919 + n * 104_729) % 200_000
        const text = `${number}.${n}`
        const [download, json] = await Promise.all([
          ask(agent, port, 'GET', `/download?bytes=${length}`),
          ask(agent, port, 'POST', '/json', JSON.stringify({ text })),
        ]).catch((error) => [{ status: 0, body: Buffer.from(String(error)) }, undefined])
        if (download?.status !== 200 || download.body.length !== length)
          failures.push(`download: ${download?.status} ${download?.body.length} of ${length}`)
        if (json?.status !== 201 || JSON.parse(json.body.toString()).got.text !== text)
          failures.push(`json: ${json?.status} ${json?.body.toString().slice(0, 100)}`)
        answers += 2
      }
    }
    const watch = setInterval(() => {
      mostAtATime = Math.max(mostAtATime, connectionsOf(application?.child.pid))
    }, 50)
    await Promise.all(Array.from({ length: 16 }, (_, number) => client(number)))
    clearInterval(watch)
    t.strictSame(failures.slice(0, 5), [])
    t.ok(answers > 100, `${answers} answers`)
    if (process.platform === 'linux')
      t.ok(mostAtATime < 16, `32 requests at a time over at most ${mostAtATime} connections`)
  },
)

function ask(
  agent: Agent,
  port: number,
  method: string,
  path: string,
  body?: string,
): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const headers =
      body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': body.length }
    const req = request({ host: '127.0.0.1', port, method, path, agent, headers }, (res) => {
      const chunks: Buffer[] = []
      res.on('data', (chunk) => chunks.push(chunk))
      res.on('end', () => resolve({ status: res.statusCode ?? 0, body: Buffer.concat(chunks) }))
      res.on('error', reject)
    })
    req.on('error', reject)
    req.end(body)
  })
}

/** Sockets of a process, without those it listens on and its standard ones. */
function connectionsOf(pid: number | undefined): number {
  const directory = `/proc/${pid}/fd`
  if (!existsSync(directory)) return 0
  const links = readdirSync(directory).flatMap((fd) => {
    try {
      return [readlinkSync(`${directory}/${fd}`)]
    } catch {
      return []
    }
  })
  return links.filter((link) => link.startsWith('socket:')).length - 3
}
