/** Parts of the package that it does not export: those without I/O, which are best tried without any. */
const built = (name: string): Promise<unknown> =>
  import(new URL(`../../dist/${name}.js`, import.meta.url).href)

export const { readArguments } = (await built('arguments')) as typeof import('../src/arguments.ts')

export const { iniContent, withParams } = (await built('ini')) as typeof import('../src/ini.ts')

export const { insidePath } = (await built('inside-path')) as typeof import('../src/inside-path.ts')

export const { LockFiles } = (await built('lock-files')) as typeof import('../src/lock-files.ts')

export const { OutputRing } = (await built('output-ring')) as typeof import('../src/output-ring.ts')

export const { readHead } = (await built(
  'response-head',
)) as typeof import('../src/response-head.ts')

export const { FileLocks } = (await built(
  'thread/file-locks',
)) as typeof import('../src/thread/file-locks.ts')

export const { serverVariables } = (await built(
  'thread/server-variables',
)) as typeof import('../src/thread/server-variables.ts')
