// An instance of PHP: the Emscripten module, its file system, and the functions of its SAPI.
import { importLoader, webAssembly } from '../builds.ts'
import { OPCACHE_DIRECTORY } from '../ini.ts'
import type { ThreadStart } from '../messages.ts'

/** Where php.ini lies in PHP's file system. */
const INI_PATH = '/internal/shared/php.ini'
/** What php_sapi_name() returns. */
const SAPI_NAME = 'cgi-fcgi'

/** The part of Emscripten's file system that is used here. */
export interface FileSystem {
  readonly ErrnoError: new (errno: number) => Error
  readonly filesystems: { readonly NODEFS: HostFileSystem }
  chdir(path: string): void
  mkdirTree(path: string): void
  mount(type: HostFileSystem, options: { root: string }, path: string): void
  rmdir(path: string): void
  stat(path: string): { mode: number }
  isFile(mode: number): boolean
  symlink(target: string, path: string): void
  writeFile(path: string, content: string): void
  getStream(fd: number): FileStream | null
}

/** A file or directory of a mounted directory of the host. */
export interface HostNode {
  readonly parent: HostNode
  name: string
}

/** NODEFS, which gives access to directories of the host. */
export interface HostFileSystem {
  readonly node_ops: {
    rename(node: HostNode, directory: HostNode, name: string): void
  }
  realPath(node: HostNode): string
  tryFSOperation<T>(operation: () => T): T
}

/** An open file. */
export interface FileStream {
  readonly node: HostNode & { readonly isSharedFS?: boolean }
  /** File descriptor of Node.js, if it is a file of the host. */
  readonly nfd?: number
}

/** Functions of the SAPI that take no strings, or pointers to them. */
type SapiFunction =
  | 'wasm_add_ENV_entry'
  | 'wasm_add_SERVER_entry'
  | 'wasm_set_content_length'
  | 'wasm_set_content_type'
  | 'wasm_set_cookies'
  | 'wasm_set_path_translated'
  | 'wasm_set_query_string'
  | 'wasm_set_request_body'
  | 'wasm_set_request_method'
  | 'wasm_set_request_port'

/** An instance of PHP. */
export interface PhpModule {
  readonly FS: FileSystem
  /** PHP's memory; another object after it has grown. */
  readonly HEAPU8: Uint8Array
  malloc(bytes: number): number
  free(pointer: number): void
  ccall(name: SapiFunction, result: null, types: 'number'[], values: number[]): void
  ccall(
    name: 'wasm_set_phpini_path' | 'wasm_set_sapi_name',
    result: null,
    types: ['string'],
    values: [string],
  ): void
  ccall(
    name: 'php_wasm_init' | 'wasm_sapi_handle_request',
    result: 'number',
    types: [],
    values: [],
    options: { async: true },
  ): Promise<number>
  onHeaders(chunk: ArrayBufferView): void
  onStdout(chunk: ArrayBufferView): void
  onStderr(chunk: ArrayBufferView): void
}

/**
 * Instantiates PHP. Then the file system is to be laid out, and {@link startPhp} called.
 * @throws Error if PHP aborts.
 */
export async function instantiatePhp(start: ThreadStart): Promise<PhpModule> {
  const { init } = await importLoader(start.directory)
  return new Promise((resolve, reject) => {
    const module = init('NODE', {
      ENV: { ...process.env },
      processId: process.pid,
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
  php.FS.mkdirTree(OPCACHE_DIRECTORY)
  php.FS.writeFile(INI_PATH, ini)
  php.ccall('wasm_set_phpini_path', null, ['string'], [INI_PATH])
  php.ccall('wasm_set_sapi_name', null, ['string'], [SAPI_NAME])
  const status = await php.ccall('php_wasm_init', 'number', [], [], { async: true })
  if (status !== 0) throw new Error(`PHP does not start: php_wasm_init() returned ${status}`)
}
