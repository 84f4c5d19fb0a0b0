// The status in Prometheus's text exposition format.

import type { StatusSnapshot } from '../snapshot.ts'
import { deprecatedFamilies } from './deprecated-families.ts'
import { metricFamilies } from './families.ts'
import type { Family, Labels } from './family.ts'

/** Media type of Prometheus's text exposition format. */
export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Writes a snapshot in Prometheus's text exposition format 0.0.4. */
export function prometheusText(snapshot: StatusSnapshot): string {
  return [...metricFamilies(snapshot), ...deprecatedFamilies(snapshot.dispatchers)]
    .filter(({ samples }) => samples.length > 0)
    .map(familyText)
    .join('')
}

function familyText({ name, type, help, samples }: Family): string {
  const lines = samples.map(({ suffix, labels, value }) => sampleLine(name + suffix, labels, value))
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
}

function sampleLine(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`)
  return `${name}{${pairs.join(',')}} ${formatValue(value)}\n`
}

function escapeLabel(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')
}

/** The format writes `+Inf` where JavaScript writes `Infinity`. */
function formatValue(value: number): string {
  return Number.isFinite(value) ? String(value) : value > 0 ? '+Inf' : value < 0 ? '-Inf' : 'NaN'
}
