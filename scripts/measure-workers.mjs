// Measures what a second worker of `fastcgi serve` brings: requests a second of a script that does nothing, by wrk, with one
// and with two workers in turn, and the CPU time of a request. Run it by hand on an idle machine with two processors.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../packages/cli/dist/main.js', import.meta.url))
const SECONDS = 5
const [rounds = '3', ...options] = process.argv.slice(2)

const site = mkdtempSync(join(tmpdir(), 'workers-'))
chmodSync(site, 0o755)
writeFileSync(join(site, 'index.php'), '<?php')
const rates = { 1: [], 2: [] }
try {
  for (let round = 0; round < Number(rounds); round++)
    for (const workers of [1, 2]) rates[workers].push(await measure(workers))
} finally {
  rmSync(site, { recursive: true })
}
const [one, two] = [median(rates[1]), median(rates[2])]
console.log(`median: ${one} and ${two} requests a second, ratio ${(two / one).toFixed(2)}`)

async function measure(workers) {
  const args = [MAIN, 'serve', site, '--port', '0', '--workers', String(workers), ...options]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(child.stdout.setEncoding('utf8'), 'data')
  const [url] = /http:\/\/[\d.:]+/.exec(line)
  load(url, 1)
  const before = ticks(child.pid)
  const { requests, rate } = load(url, SECONDS)
  const after = ticks(child.pid)
  const each = (name) => Math.round(((after[name] - before[name]) * 10_000) / requests)
  console.log(
    `${workers} workers: ${rate}/s; node ${each('node')} µs, PHP ${each('php')} µs of CPU a request`,
  )
  child.kill('SIGTERM')
  await once(child, 'exit')
  return rate
}

function load(url, seconds) {
  const { stdout } = spawnSync('wrk', ['-t1', '-c16', `-d${seconds}s`, `${url}/`], {
    encoding: 'utf8',
  })
  const [, requests] = /(\d+) requests in/.exec(stdout)
  return { requests: Number(requests), rate: Math.round(Number(requests) / seconds) }
}

/** CPU ticks of a process and its descendants; 100 a second. */
function ticks(root) {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap(stat)
  const used = { node: 0, php: 0 }
  const add = (pid) => {
    for (const { id, parent, name, time } of all) {
      if (id !== pid && parent !== pid) continue
      if (id === pid) used[name.startsWith('php') ? 'php' : 'node'] += time
      else add(id)
    }
  }
  add(root)
  return used
}

function stat(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [, name, rest] = /\((.*)\) . (.*)$/s.exec(text)
    const fields = rest.split(' ').map(Number)
    return [{ id: Number(pid), parent: fields[0], name, time: fields[10] + fields[11] }]
  } catch {
    return []
  }
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]
}
