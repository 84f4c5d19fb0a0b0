/** Two gateways, each a process of its own, with one Redis: they share, they purge for each other, and Redis may fail. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { startApp } from '../helpers/cached-app.ts'
import { lastingPort } from '../helpers/ports.ts'
import { accepting, findProgram, type Program, startProgram } from '../helpers/programs.ts'
import { rawGet } from '../helpers/raw-http.ts'
import { needs } from '../helpers/require-program.ts'
import { delay, until, within } from '../helpers/wait.ts'

const REDIS = findProgram('redis-server')
const PROGRAM = fileURLToPath(new URL('../helpers/redis-gateway-program.js', import.meta.url))

async function startRedis(t: Test, port: number): Promise<Program> {
  const persistence = ['--save', '', '--appendonly', 'no']
  const network = ['--port', String(port), '--bind', '127.0.0.1', '--protected-mode', 'no']
  const redis = startProgram(t, REDIS ?? '', [...network, ...persistence])
  await accepting(redis, port)
  return redis
}

interface Gateway {
  port: number
  child: ChildProcess
}

async function startGateway(t: Test, upstream: string, redis: number): Promise<Gateway> {
  const child = fork(PROGRAM, [upstream, String(redis)], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  const exited = once(child, 'exit')
  t.teardown(async () => {
    if (child.connected) child.disconnect()
    await within('the gateway to end', exited)
  })
  const [{ port }] = await within('the gateway', once(child, 'message'), 30_000)
  return { port, child }
}

t.test('two gateways and one Redis', needs('redis-server', REDIS), async (t) => {
  const port = await lastingPort()
  let redis = await startRedis(t, port)
  let runs = 0
  const app = await startApp(t, (_req, res) => {
    res.setHeader('Cache-Control', 'max-age=600').setHeader('Surrogate-Key', 'page news')
    res.end(`run ${++runs}`)
  })
  const [one, two] = await Promise.all([1, 2].map(() => startGateway(t, app.address, port)))
  if (one === undefined || two === undefined) throw new Error('no gateways')
  const bodyOf = async (gateway: Gateway, path: string): Promise<string> => {
    const { status, body } = await rawGet(gateway.port, path)
    return `${status} ${body}`
  }
  const isHit = async (gateway: Gateway, path: string): Promise<boolean> => {
    const { headers } = await rawGet(gateway.port, path)
    return /; hit/.test(headers['cache-status'] ?? '')
  }
  const eventually = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
    let found = false
    const look = async (): Promise<void> => {
      while (!found) {
        found = await holds()
        if (!found) await delay(20)
      }
    }
    await within(what, look(), 20_000)
  }

  await t.test('what one stores, both send', async (t) => {
    await eventually('the first to reach Redis', async () => {
      await bodyOf(one, '/a')
      return isHit(one, '/a')
    })
    const before = app.asked.length
    t.ok(await isHit(two, '/a'))
    t.equal(await bodyOf(two, '/a'), await bodyOf(one, '/a'))
    t.equal(app.asked.length, before)
    t.notOk(await isHit(two, '/*'), 'a URL is no pattern of other ones')
    t.notOk(await isHit(two, '/%2a'))
  })

  await t.test('what one purges by tag, the other does not send', async (t) => {
    one.child.send({ tag: 'news' })
    await within('the purge', once(one.child, 'message'))
    t.notOk(await isHit(two, '/a'))
  })

  await t.test('Redis is killed under load, and comes back', async (t) => {
    let stop = false
    let served = 0
    const failed: string[] = []
    const load = async (gateway: Gateway, client: number): Promise<void> => {
      for (let n = 0; !stop; n++) {
        const answer = await bodyOf(gateway, `/load/${client}/${n % 5}`)
        if (!/^200 run \d+$/.test(answer)) failed.push(answer)
        served++
      }
    }
    const clients = [one, two, one, two].map(load)
    await until('some load', () => served > 30, 30_000)
    await redis.stop('SIGKILL')
    const then = served
    await until('load without Redis', () => served > then + 30, 30_000)
    redis = await startRedis(t, port)
    await eventually('both to use Redis again', async () => {
      await bodyOf(one, '/again')
      return (await isHit(one, '/again')) && (await isHit(two, '/again'))
    })
    stop = true
    await Promise.all(clients)
    t.same(failed, [], 'no request has failed')
  })
})
