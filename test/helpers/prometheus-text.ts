/** Reads what Prometheus is given. */
import type { Test } from 'tap'

export interface Sample {
  name: string
  labels: Record<string, string>
  value: number
}

/** Reads the text exposition format line by line; what is not in it fails. */
export function parsePrometheus(t: Test, text: string): Sample[] {
  const samples: Sample[] = []
  const types = new Map<string, string>()
  let family = ''
  t.ok(text.endsWith('\n'), 'the last line ends')
  for (const line of text.slice(0, -1).split('\n')) {
    const [, kind, name, rest] = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line) ?? []
    if (kind === 'TYPE' && name !== undefined) {
      t.notOk(types.has(name), `${name} comes once`)
      types.set(name, rest ?? '')
      family = name
    }
    if (kind !== undefined) continue
    const found = /^([a-z_]+)\{((?:[a-z_]+="(?:[^"\\]|\\[\\"n])*",?)*)\} (\S+)$/.exec(line)
    if (found === null) {
      t.fail(`no sample: ${line}`)
      continue
    }
    const [, sample = '', pairs = '', value] = found
    if (!sample.startsWith(family)) t.fail(`${sample} is not of ${family}`)
    const plain = (text: string): string =>
      text.replace(/\\(.)/g, (_, letter) => (letter === 'n' ? '\n' : letter))
    const labels = [...pairs.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map(
      ([, label = '', text = '']) => [label, plain(text)],
    )
    if (Number.isNaN(Number(value)) && value !== '+Inf') t.fail(`no number: ${line}`)
    const number = value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value)
    samples.push({ name: sample, labels: Object.fromEntries(labels), value: number })
  }
  return samples
}
