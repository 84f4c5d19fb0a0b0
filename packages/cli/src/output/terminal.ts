// Colours of a terminal.
import type { WriteStream } from 'node:tty'
import { styleText } from 'node:util'

export type Style = Parameters<typeof styleText>[0]

/** Whether a stream shows colours; NO_COLOR and FORCE_COLOR are respected. */
export function hasColours(stream: Partial<WriteStream>): boolean {
  return stream.isTTY === true && stream.hasColors?.() === true
}

/** Returns a function that colours text, or leaves it as it is. */
export function painter(colours: boolean): (style: Style, text: string) => string {
  if (!colours) return (_style, text) => text
  const paint = styleText as (style: Style, text: string, options: object) => string
  // Whether the terminal shows colours has been found out; newer versions of Node would look at stdout instead.
  return (style, text) => paint(style, text, { validateStream: false })
}
