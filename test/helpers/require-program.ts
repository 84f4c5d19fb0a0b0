/** Set where every program is there: a test that would be skipped fails then. */
const REQUIRED = process.env.FCGI_TEST_REQUIRE === '1'

/**
 * Options of a test that needs a program: skipped, with the name of the package to install, where it is missing.
 * @throws Error instead when FCGI_TEST_REQUIRE=1.
 */
export function needs(packageName: string, path: string | undefined): { skip: string | false } {
  if (path !== undefined) return { skip: false }
  if (REQUIRED) throw new Error(`${packageName} is not installed, and FCGI_TEST_REQUIRE is 1`)
  return { skip: `${packageName} is not installed` }
}
