// Dates of header fields (RFC 9110 §5.6.7).

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const MONTH = `(${MONTHS.join('|')})`
const DAY = '(?:mon|tue|wed|thu|fri|sat|sun)'
const LONG_DAY = '(?:mon|tues|wednes|thurs|fri|satur|sun)day'
const TIME = '(\\d{2}):(\\d{2}):(\\d{2})'

const IMF_FIXDATE = new RegExp(`^${DAY}, (\\d{2}) ${MONTH} (\\d{4}) ${TIME} GMT$`, 'i')
const RFC_850 = new RegExp(`^${LONG_DAY}, (\\d{2})-${MONTH}-(\\d{2}) ${TIME} GMT$`, 'i')
const ASCTIME = new RegExp(`^${DAY} ${MONTH} ([ \\d]\\d) ${TIME} (\\d{4})$`, 'i')

/**
 * Parses a date in any of the three formats of RFC 9110. Returns milliseconds; undefined if it is malformed.
 * @example
 * ```js
 * import { parseHttpDate } from '@fastcgi/cache'
 *
 * console.log(parseHttpDate('Thu, 01 Jan 1970 00:00:10 GMT')) // 10000
 * ```
 */
export function parseHttpDate(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const fixed = IMF_FIXDATE.exec(text)
  if (fixed !== null) return time(fixed[3], fixed[2], fixed[1], fixed.slice(4))
  const old = RFC_850.exec(text)
  if (old !== null) return time(fullYear(old[3]), old[2], old[1], old.slice(4))
  const asctime = ASCTIME.exec(text)
  return asctime === null ? undefined : time(asctime[6], asctime[1], asctime[2], asctime.slice(3))
}

function time(
  year: string | number = '',
  month = '',
  day = '',
  [hour, minute, second]: readonly string[],
): number {
  const index = MONTHS.indexOf(month.toLowerCase())
  return Date.UTC(Number(year), index, Number(day), Number(hour), Number(minute), Number(second))
}

/** A year more than 50 years in the future is the most recent one in the past with the same last two digits. */
function fullYear(digits = ''): number {
  const now = new Date().getUTCFullYear()
  const year = now - (now % 100) + Number(digits)
  return year > now + 50 ? year - 100 : year
}
