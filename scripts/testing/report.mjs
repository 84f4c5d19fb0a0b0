// Says what came of the tests, in words.

const SLOWEST = 8
const STDERR_LINES = 15
/** How a test says that it is skipped because a Debian package is missing. */
const MISSING = /^(\S+) is not installed$/

/** One line when a file has finished, and its failures. */
export function printFile(result) {
  const { file, passed, skipped, failures, milliseconds } = result
  const numbers = [
    `${passed} passed`,
    failures.length > 0 && `${failures.length} failed`,
    skipped.length > 0 && `${skipped.length} skipped`,
    seconds(milliseconds),
  ]
  console.log(
    `${failures.length > 0 ? 'FAILED' : 'ok'}  ${file}  ${numbers.filter(Boolean).join(', ')}`,
  )
  for (const failure of failures) console.log(indent(describe(failure), 4))
  if (failures.length > 0 && result.stderr !== '')
    console.log(indent(`stderr:\n${indent(lastLines(result.stderr), 2)}`, 4))
}

/** The whole: slowest files, what was skipped, what failed; the last line has the numbers. */
export function printSummary(results, milliseconds) {
  const slowest = results.toSorted((a, b) => b.milliseconds - a.milliseconds).slice(0, SLOWEST)
  console.log('\nslowest files:')
  for (const result of slowest) console.log(`  ${seconds(result.milliseconds)}  ${result.file}`)
  printSkipped(results)
  const failing = results.filter(({ failures }) => failures.length > 0)
  if (failing.length > 0) console.log('\nfailed:')
  for (const { file, failures } of failing)
    for (const { fullname } of failures) console.log(`  ${file}: ${fullname}`)
  const sum = (of) => results.reduce((total, result) => total + of(result), 0)
  const skipped = sum((result) => result.skipped.length)
  const passed = sum((result) => result.passed)
  const failed = sum((result) => result.failures.length)
  console.log(
    `\n${passed} passed, ${failed} failed, ${skipped} skipped; ${results.length} files in ${seconds(milliseconds)}`,
  )
}

function printSkipped(results) {
  /** Files by the reason, one for each test. */
  const reasons = new Map()
  for (const { file, skipped } of results)
    for (const reason of skipped) reasons.set(reason, [...(reasons.get(reason) ?? []), file])
  if (reasons.size > 0) console.log('\nskipped:')
  for (const [reason, files] of reasons) {
    const [, name] = MISSING.exec(reason) ?? []
    const why = name === undefined ? reason : `the Debian package ${name} is not installed`
    console.log(`  ${files.length} tests, ${why}: ${[...new Set(files)].join(', ')}`)
  }
}

/** Which test, what was expected and found, and where. */
function describe({ fullname, diag }) {
  const { at, diff, stack, source, compare, ...others } = diag ?? {}
  const place = at?.fileName && `at ${at.fileName}:${at.lineNumber}:${at.columnNumber}`
  const details = Object.entries(others)
    .filter(([key]) => !['tapCaught', 'generated'].includes(key))
    .map(([key, value]) => `${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
  return [
    fullname,
    ...[diff && differences(diff), ...details, place]
      .filter(Boolean)
      .map((text) => indent(text, 2)),
  ].join('\n')
}

/** tap's diff, without the lines that only say where in it something is. */
function differences(diff) {
  return diff
    .trimEnd()
    .split('\n')
    .filter((line) => !line.startsWith('@@'))
    .map((line) =>
      line.replace(/^--- expected$/, 'expected (-), found (+):').replace(/^\+\+\+ actual$/, ''),
    )
    .filter((line) => line !== '')
    .join('\n')
}

const indent = (text, by) => text.trimEnd().replace(/^/gm, ' '.repeat(by))
const lastLines = (text) => text.trimEnd().split('\n').slice(-STDERR_LINES).join('\n')
const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(1)} s`
