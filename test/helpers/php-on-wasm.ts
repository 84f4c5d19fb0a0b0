/** PHP compiled to WebAssembly in the place of php-fpm: what its tests do not ask of it, and why. */
import type { Test } from 'tap'

/** Whether it stands in for php-fpm: see test/README.md. */
export const ON_WASM = process.env.FCGI_TEST_PHP === 'wasm'

/** What is different; docs/php-wasm.md says the same. */
const DIFFERENCES = {
  process: 'instances are threads of one process: they have one process id, and end together',
  body: 'a body is in its memory before the script begins; php-fpm reads that of a PUT when it is asked for',
  reason: 'its SAPI passes on the status, not the reason',
  log: 'php-fpm adds "PHP message: " to messages and joins them; php-cgi does not either',
  missing: 'it says of a missing script what php-cgi says: "No input file specified."',
  names: 'names of files are UTF-8',
  pathinfo: 'SCRIPT_FILENAME is never searched for a shorter name (cgi.fix_pathinfo=0)',
}

/** Whether a test is left out; reports it as skipped. */
export function skipsOnWasm(t: Test, difference: keyof typeof DIFFERENCES): boolean {
  if (ON_WASM) t.pass('', { skip: DIFFERENCES[difference] })
  return ON_WASM
}
