// Content negotiation of the status, and of error pages (RFC 9110 §12).

/** A format of the status. */
export type Format = 'html' | 'json' | 'prometheus'

const TYPES: FormatTypes<Format> = [
  ['html', ['text/html']],
  ['json', ['application/json']],
  ['prometheus', ['text/plain', 'application/openmetrics-text']],
]

/** Whether a text is the name of a format. */
export function isFormat(name: string): name is Format {
  return TYPES.some(([format]) => format === name)
}

/** The format of the status that Accept prefers; HTML without Accept or if it accepts none of them. */
export function negotiate(accept: string | undefined): Format {
  return preferred(accept, TYPES)
}

/** Formats with their media types; the first format wins among those with equal quality. */
export type FormatTypes<Name> = ReadonlyArray<readonly [Name, readonly string[]]>

/** The format that Accept prefers (RFC 9110 §12.5.1); the first one without Accept or if it accepts none of them. */
export function preferred<Name>(accept: string | undefined, formats: FormatTypes<Name>): Name {
  const ranges = (accept || '*/*').split(',').map(readRange)
  const quality = (type: string): number => {
    const [main] = type.split('/', 1)
    const found = [type, `${main}/*`, '*/*']
      .map((name) => ranges.find((range) => range.name === name))
      .find((range) => range !== undefined)
    return found?.quality ?? 0
  }
  let [best] = formats[0] as readonly [Name, readonly string[]]
  let bestQuality = 0
  for (const [format, types] of formats) {
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
