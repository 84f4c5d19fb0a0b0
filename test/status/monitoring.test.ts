/** docs/monitoring: the dashboard and the alert rules ask for metrics that exist, and the rules do what they say. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createStatus } from '@fastcgi/gateway'
import { type Metric, Registry } from 'prom-client'
import t from 'tap'
import { parse, stringify } from 'yaml'
import { WORKSPACE } from '../helpers/documents.ts'
import { findProgram } from '../helpers/programs.ts'
import { needs } from '../helpers/require-program.ts'

const DIRECTORY = join(WORKSPACE, 'docs/monitoring')
const PROMTOOL = findProgram('promtool')
const TOOL = needs('prometheus', PROMTOOL)

interface Rule {
  alert: string
  expr: string
  for?: string
  annotations: { summary: string; remedy: string }
}

const rulesText = read('alerts.yml')
const rules: Rule[] = parse(rulesText).groups.flatMap(({ rules }: { rules: Rule[] }) => rules)

function read(name: string): string {
  return readFileSync(join(DIRECTORY, name), 'utf8')
}

/** The name of every metric with its type. */
async function metrics(): Promise<Map<string, string>> {
  const register = new Registry()
  createStatus({ dispatchers: {} }).collect(register)
  const all = register.getMetricsAsArray() as unknown as Array<
    Metric & { name: string; type: string }
  >
  return new Map(all.map(({ name, type }) => [name, type]))
}

/** The names of metrics in a text. The series of a histogram are those of its name. */
async function unknownIn(text: string): Promise<string[]> {
  const known = await metrics()
  const names = new Set([...text.matchAll(/\bfastcgi_[a-z_]+\b/g)].map(([name]) => name))
  return [...names].filter((name) => {
    const series = /^(.*)_(?:bucket|sum|count)$/.exec(name)?.[1]
    return !known.has(name) && known.get(series ?? '') !== 'histogram'
  })
}

t.test('the metrics that are asked for exist', async (t) => {
  const dashboard = JSON.parse(read('grafana-dashboard.json'))
  const expressions = dashboard.panels.flatMap(
    ({ targets }: { targets: Array<{ expr: string }> }) => targets.map(({ expr }) => expr),
  )
  t.ok(expressions.length > 20)
  t.strictSame(await unknownIn(JSON.stringify(dashboard)), [])
  t.strictSame(await unknownIn(rulesText), [])
  t.strictSame(await unknownIn('fastcgi_request_total fastcgi_member_up_bucket'), [
    'fastcgi_request_total',
    'fastcgi_member_up_bucket',
  ])
})

t.test('every metric is described, and every alert has its remedy', async (t) => {
  const readme = read('README.md')
  for (const [name, type] of await metrics())
    t.match(readme, new RegExp(`\\\`${name}\\\`.*\\| ${type}`), `${name} is a ${type}`)
  for (const { alert, annotations } of rules) {
    t.match(readme, `| \`${alert}\``, `${alert} is described`)
    t.ok(annotations.remedy.length > 40 && annotations.summary.length > 20, alert)
  }
})

t.test('promtool accepts the rules', TOOL, async (t) => {
  const { stdout, stderr, status } = promtool('check', 'rules', join(DIRECTORY, 'alerts.yml'))
  t.equal(status, 0, `${stdout}${stderr}`)
})

/** For each alert what it sees in the course of 20 minutes: series by name with labels, and the label by which it is known. */
const SEEN: Readonly<Record<string, Record<string, string>>> = {
  FastCGIMemberDown: {
    'fastcgi_member_up{route="/",member="a"}': '0x20',
    'fastcgi_member_up{route="/",member="b"}': '1x20',
  },
  FastCGIRouteDown: { 'fastcgi_member_up{route="/",member="a"}': '0x20' },
  FastCGIFailures: {
    'fastcgi_requests_total{route="/",status_class="2xx"}': '0+900x20',
    'fastcgi_requests_total{route="/",status_class="failed"}': '0+30x20',
  },
  FastCGIServerErrors: {
    'fastcgi_requests_total{route="/",status_class="2xx"}': '0+900x20',
    'fastcgi_requests_total{route="/",status_class="5xx"}': '0+90x20',
  },
  FastCGISlow: {
    'fastcgi_request_duration_seconds_bucket{route="/",le="2.5"}': '0+900x20',
    'fastcgi_request_duration_seconds_bucket{route="/",le="5"}': '0+990x20',
    'fastcgi_request_duration_seconds_bucket{route="/",le="+Inf"}': '0+1000x20',
  },
  FastCGIQueue: { 'fastcgi_queue_length{route="/",member="a"}': '20x20' },
  FastCGIOverloaded: {
    'fastcgi_errors_total{route="/",member="a",reason="overloaded"}': '0+5x20',
  },
  FastCGIProcessRestarts: { 'fastcgi_process_exits_total{route="/",process="php-0"}': '0+1x20' },
  FastCGIAborted: {
    'fastcgi_requests_total{route="/",status_class="2xx"}': '0+800x20',
    'fastcgi_requests_total{route="/",status_class="aborted"}': '0+200x20',
  },
}

t.test('each alert fires, and does not while all is well', TOOL, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-rules-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  t.strictSame(Object.keys(SEEN).sort(), rules.map(({ alert }) => alert).sort())
  const series = (seen: Record<string, string>) =>
    Object.entries(seen).map(([name, values]) => ({ series: name, values: `${values}` }))
  const well = {
    'fastcgi_member_up{route="/",member="a"}': '1x20',
    'fastcgi_requests_total{route="/",status_class="2xx"}': '0+900x20',
    'fastcgi_queue_length{route="/",member="a"}': '1x20',
    'fastcgi_request_duration_seconds_bucket{route="/",le="0.05"}': '0+900x20',
    'fastcgi_request_duration_seconds_bucket{route="/",le="+Inf"}': '0+900x20',
  }
  const files = { rule_files: [join(DIRECTORY, 'alerts.yml')], evaluation_interval: '1m' }
  const query = (alert: string, samples: object[]) => ({
    expr: `count by (alertname) (ALERTS{alertname="${alert}", alertstate="firing"})`,
    eval_time: '20m',
    exp_samples: samples,
  })
  const tests = rules.flatMap(({ alert }) => [
    {
      interval: '1m',
      input_series: series(SEEN[alert] ?? {}),
      promql_expr_test: [query(alert, [{ labels: `{alertname="${alert}"}`, value: 1 }])],
    },
    { interval: '1m', input_series: series(well), promql_expr_test: [query(alert, [])] },
  ])
  const path = join(directory, 'rules.test.yml')
  writeFileSync(path, stringify({ ...files, tests }))
  const { status, stdout, stderr } = promtool('test', 'rules', path)
  t.equal(status, 0, `${stdout}${stderr}`)
})

function promtool(...args: string[]) {
  return spawnSync(PROMTOOL ?? '', args, { encoding: 'utf8' })
}
