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
  return colours ? styleText : (_style, text) => text
}
