/** An error with the code of a system error, as node:net's have one. */
export function systemError(code: string, message: string): Error & { code: string } {
  return Object.assign(new Error(message), { code })
}
