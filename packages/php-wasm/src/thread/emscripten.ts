// The parts of PHP's Emscripten module that are used here.

/** The part of Emscripten's file system that is used here. */
export interface FileSystem {
  readonly ErrnoError: new (errno: number) => Error
  readonly filesystems: { readonly NODEFS: HostFileSystem }
  chdir(path: string): void
  mkdirTree(path: string): void
  open(path: string, flags: number | string, mode: number): object
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
    mknod(parent: HostNode, name: string, mode: number, device: number): HostNode
    rename(node: HostNode, directory: HostNode, name: string): void
  }
  createNode(parent: HostNode, name: string, mode: number, device: number): HostNode
  realPath(node: HostNode): string
  tryFSOperation<T>(operation: () => T): T
}

/** An open file. */
export interface FileStream {
  readonly path?: string
  /** File descriptor of Node.js, if it is a file of the host. */
  readonly nfd?: number
  /** Where the next read or write begins. */
  readonly position: number
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

/** What Emscripten's glue code hands over. */
export interface UserSpace {
  readonly constants: Readonly<
    Record<
      | 'F_GETLK'
      | 'F_SETLK'
      | 'F_SETLKW'
      | 'F_RDLCK'
      | 'F_WRLCK'
      | 'F_UNLCK'
      | 'LOCK_SH'
      | 'LOCK_EX'
      | 'LOCK_NB',
      number
    >
  >
  readonly errnoCodes: Readonly<Record<'EWOULDBLOCK' | 'EAGAIN', number>>
  readonly memory: {
    readonly HEAP16: Numbers
    readonly HEAP32: Numbers
    readonly HEAP64: { get(index: number): bigint }
  }
  readonly wasmImports: {
    builtin_fd_close(fd: number): number
    builtin_fcntl64(fd: number, command: number, varargs: number): number
  }
  readonly FS: FileSystem
}

interface Numbers {
  get(index: number): number
  set(index: number, value: number): void
}
