// Content negotiation of the status (RFC 9110 §12).

/** A format of the status. */
export type Format = 'html' | 'json' | 'prometheus'

/** Media types of the formats; the first format wins among those with equal quality. */
const TYPES: ReadonlyArray<readonly [Format, readonly string[]]> = [
  ['html', ['text/html']],
  ['json', ['application/json']],
  ['prometheus', ['text/plain', 'application/openmetrics-text']],
]

/** Whether a text is the name of a format. */
export function isFormat(name: string): name is Format {
  return TYPES.some(([format]) => format === name)
}

/** The format that Accept prefers (RFC 9110 §12.5.1); HTML without Accept or if it accepts none of them. */
export function negotiate(accept: string | undefined): Format {
  const ranges = (accept || '*/*').split(',').map(readRange)
  const quality = (type: string): number => {
    const [main] = type.split('/', 1)
    const found = [type, `${main}/*`, '*/*']
      .map((name) => ranges.find((range) => range.name === name))
      .find((range) => range !== undefined)
    return found?.quality ?? 0
  }
  let best: Format = 'html'
  let bestQuality = 0
  for (const [format, types] of TYPES) {
    const typeQuality = Math.max(...types.map(quality))
    if (typeQuality <= bestQuality) continue
    best = format
    bestQuality = typeQuality
  }
  return best
}

function readRange(text: string): { name: string; quality: number } {
  const [name = '', ...parameters] = text
    .toLowerCase()
    .split(';')
    .map((part) => part.trim())
  const q = parameters.find((parameter) => parameter.startsWith('q='))
  const quality = q === undefined ? 1 : Number(q.slice(2))
  return { name, quality: Number.isNaN(quality) ? 0 : quality }
}
