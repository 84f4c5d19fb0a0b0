/** Creates an error with a `code`, like the system errors of node:net. */
export function systemError(code: string, message: string): Error & { code: string } {
  return Object.assign(new Error(message), { code })
}
