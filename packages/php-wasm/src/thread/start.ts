// The start of an instance of PHP.
import { importLoader, webAssembly } from '../builds.ts'
import type { ThreadStart } from '../messages.ts'
import type { PhpModule, UserSpace } from './emscripten.ts'
import type { LockCalls } from './lock-calls.ts'

/** Where php.ini lies in PHP's file system. */
const INI_PATH = '/internal/shared/php.ini'
/** What php_sapi_name() returns. */
const SAPI_NAME = 'cgi-fcgi'

/**
 * Instantiates PHP, with these calls in the place of some of Emscripten's. Then the file system is to be laid out, and {@link startPhp} called.
 * @throws Error if PHP aborts.
 */
export async function instantiatePhp(
  start: ThreadStart,
  bindUserSpace: (space: UserSpace) => LockCalls,
): Promise<PhpModule> {
  const { init } = await importLoader(start.directory)
  return new Promise((resolve, reject) => {
    const module = init('NODE', {
      ENV: { ...process.env },
      processId: process.pid,
      bindUserSpace,
      debug: false,
      noInitialRun: true,
      instantiateWasm(imports: object, receive: (instance: object, code: object) => void) {
        webAssembly
          .instantiate(start.code, imports)
          .then((instance) => receive(instance, start.code), reject)
        return {}
      },
      onAbort: (reason: unknown) => reject(new Error(`PHP has aborted: ${String(reason)}`)),
      onRuntimeInitialized: () => resolve(module as PhpModule),
    })
  })
}

/** Starts PHP with this content of php.ini. */
export async function startPhp(php: PhpModule, ini: string): Promise<void> {
  php.FS.writeFile(INI_PATH, ini)
  php.ccall('wasm_set_phpini_path', null, ['string'], [INI_PATH])
  php.ccall('wasm_set_sapi_name', null, ['string'], [SAPI_NAME])
  const status = await php.ccall('php_wasm_init', 'number', [], [], { async: true })
  if (status !== 0) throw new Error(`PHP does not start: php_wasm_init() returned ${status}`)
}
