/** The command `fastcgi status`, of a server with two workers. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { startPeer, wellBehaved } from '../helpers/scripted-peer.ts'
import { ENV, MAIN, serve, stop } from '../helpers/serve-command.ts'
import { textOf } from '../helpers/serve-site.ts'
import { until, within } from '../helpers/wait.ts'

function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, [MAIN, 'status', ...args], { env: ENV })
}

async function run(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = start(...args)
  const written = Promise.all([text(child.stdout as never), text(child.stderr as never)])
  const [code] = await within('the end', once(child, 'close'))
  const [out, err] = await written
  return { code, out, err }
}

t.test('a table, JSON, and again and again', async (t) => {
  const peer = await startPeer(wellBehaved())
  t.teardown(() => peer.close())
  const site = ['--root', '/srv', '--route', '/', '--upstream', peer.address]
  const served = await serve(t, ...site, '--workers', '2', '--status-page', '/status')
  for (let n = 0; n < 3; n++) await textOf(`${served.url}/x.php`)
  const table = await run(`${served.url}/status`)
  t.equal(table.code, 0, table.err)
  const [title, head, row] = table.out.split('\n')
  t.match(title, /^\d{4}-\S+Z, process \d+, up \d+ s$/)
  t.match(
    head,
    /^NAME +STATE +ACTIVE +QUEUED +CONNECTIONS +REQUESTS +PER SECOND +FAILED +P50 +P99$/,
  )
  t.match(row, new RegExp(`^${peer.address} +pool +0 +0 +\\d+ +3 `))
  t.equal(row?.length, head?.replace(/ +P50 +P99$/, '').length, 'columns are aligned')

  const json = await run(`${served.url.replace('http://', '')}/status`, '--json')
  t.match(JSON.parse(json.out), { dispatchers: [{ name: peer.address, stats: { requests: 3 } }] })

  const watch = start(`${served.url}/status`, '--watch', '--interval', '20')
  let drawn = ''
  watch.stdout?.setEncoding('utf8').on('data', (part) => {
    drawn += part
  })
  await until('two tables', () => drawn.split('NAME').length > 2)
  watch.kill('SIGINT')
  t.same(await within('the end', once(watch, 'close')), [0, null])

  const wrong = await run(`${served.url}/x.php`)
  t.equal(wrong.code, 1)
  t.match(
    wrong.err,
    /^fastcgi status: http:.* is no status page \(text\/plain\); its path is the option --status-page of serve\n$/,
  )
  await stop(t, served)
  const gone = await run(`${served.url}/status`)
  t.equal(gone.code, 1)
  t.match(
    gone.err,
    /^fastcgi status: 127\.0\.0\.1:\d+ does not answer: connect ECONNREFUSED[^\n]*\n$/,
  )
})

t.test('a member of a balancer', async (t) => {
  const peer = await startPeer(wellBehaved())
  t.teardown(() => peer.close())
  const site = [
    '--root',
    '/srv',
    '--route',
    '/',
    '--upstream',
    peer.address,
    '--upstream',
    '127.0.0.1:1',
  ]
  const served = await serve(t, ...site, '--status-page', '/status')
  for (let n = 0; n < 3; n++) await textOf(`${served.url}/x.php`)
  const { out } = await run(`${served.url}/status`)
  t.match(out, new RegExp(`^  ${peer.address} +ok .* [\\d.]+ ms +[\\d.]+ ms$`, 'm'))
  await stop(t, served)
})

t.test('what cannot be meant', async (t) => {
  for (const [args, message] of [
    [[], 'give one URL, such as http://127.0.0.1:8080/fastcgi-status'],
    [['a', 'b'], 'give one URL, such as http://127.0.0.1:8080/fastcgi-status'],
    [['http://'], 'http:// is no URL'],
    [['x', '--interval', '0'], 'option --interval must be a whole number, 1 to 86400000; got "0"'],
    [['x', '--header', 'x'], `option --header must be 'NAME: VALUE'; got "x"`],
    [['x', '--wacth'], 'there is no option --wacth; did you mean --watch?'],
  ] as const) {
    const { code, err } = await run(...args)
    t.strictSame([code, err], [2, `fastcgi status: ${message}\n`])
  }
  t.match(await run('--help'), { code: 0, out: /^fastcgi status URL/ })
})
