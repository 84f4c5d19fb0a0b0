// Last-Modified is never later than Date (RFC 9110 §8.8.2.1).

/** A value of Last-Modified: the time, or the current time if it is earlier. @param time in milliseconds. */
export function notInFuture(time: number): string {
  return new Date(Math.min(time, Date.now())).toUTCString()
}

/** An application's value of Last-Modified; the current time in its place if it is later. */
export function checkedLastModified(value: string): string {
  const time = Date.parse(value)
  return time > Date.now() ? notInFuture(time) : value
}
