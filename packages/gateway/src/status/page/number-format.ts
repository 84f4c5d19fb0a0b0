// Formats numbers for the status page.

/** A whole number with digits in groups of three. */
export function count(value: number): string {
  return Number.isFinite(value) ? value.toLocaleString('en') : '∞'
}

/** A number per second. */
export function rate(value: number | null): string {
  if (value === null) return '–'
  return value >= 100 ? count(Math.round(value)) : value.toFixed(1)
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** Bytes, in B, KiB, MiB and so on. */
export function bytes(value: number): string {
  let unit = 0
  for (; value >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`
}

/** Milliseconds, from one second on in seconds. */
export function milliseconds(value: number): string {
  if (value >= 1000) return `${Number((value / 1000).toFixed(1))} s`
  return `${value < 10 ? Number(value.toPrecision(2)) : Math.round(value)} ms`
}

/** Seconds, in the two largest units: `2 d 5 h`, without the second one if it is 0. */
export function seconds(value: number): string {
  const parts = [
    [Math.floor(value / 86_400), 'd'],
    [Math.floor(value / 3600) % 24, 'h'],
    [Math.floor(value / 60) % 60, 'min'],
    [Math.floor(value) % 60, 's'],
  ] as const
  const first = parts.findIndex(([amount]) => amount > 0)
  if (first === -1) return '0 s'
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(' ')
}

/** How long before `now` a moment was; both in ISO form. */
export function ago(moment: string, now: string): string {
  return `${seconds(Math.max(0, Date.parse(now) - Date.parse(moment)) / 1000)} ago`
}
