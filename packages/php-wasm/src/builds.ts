// Finds the PHP builds that are installed: packages of WordPress Playground, one for each version of PHP.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** A PHP build that is installed. */
export interface PhpBuild {
  /** Directory of its package. */
  readonly directory: string
}

/** Versions of PHP that there are builds of, the preferred one first. */
export const PHP_VERSIONS: readonly string[] = ['8.5', '8.4', '8.3', '8.2']

/** The packages to install for the build that has been tested most. */
export const INSTALL_COMMAND = 'npm i @fastcgi/php-wasm @php-wasm/node-8-3'

/** Name of the package with the build of a version. */
function packageName(php: string): string {
  return `@php-wasm/node-${php.replace('.', '-')}`
}

/**
 * Finds the newest build that is installed beside this package, or where one of the given files or directories could import
 * it from. Undefined if there is none.
 * @param places absolute paths. @default the working directory
 * @example
 * ```js
 * import { findPhpWasm, INSTALL_COMMAND } from '@fastcgi/php-wasm'
 *
 * if (findPhpWasm() === undefined) console.log(INSTALL_COMMAND)
 * ```
 */
export function findPhpWasm(places: readonly string[] = [process.cwd()]): PhpBuild | undefined {
  const bases = [import.meta.url, ...places.map((place) => pathToFileURL(join(place, '_')).href)]
  for (const php of PHP_VERSIONS)
    for (const base of bases) {
      const directory = packageDirectory(packageName(php), base)
      if (directory !== undefined) return { directory }
    }
  return undefined
}

function packageDirectory(name: string, base: string): string | undefined {
  try {
    return dirname(createRequire(base).resolve(`${name}/package.json`))
  } catch {
    return undefined
  }
}

/** Compiled WebAssembly code: a `WebAssembly.Module`. */
export type Code = object

/** The part of WebAssembly that is used here; the types of Node.js 20 lack it. */
interface WebAssemblyApi {
  compile(bytes: Uint8Array): Promise<Code>
  instantiate(code: Code, imports: object): Promise<object>
}

export const webAssembly: WebAssemblyApi = Reflect.get(globalThis, 'WebAssembly')

/** The glue code of a PHP build, made by Emscripten. */
export interface PhpLoader {
  /** Path of the WebAssembly file. */
  readonly dependencyFilename: string
  /** Instantiates it: returns `options`, to which it adds. */
  init(environment: 'NODE', options: object): unknown
}

/** Imports the glue code of a build: the variant for the WebAssembly features of this Node.js. */
export async function importLoader(directory: string): Promise<PhpLoader> {
  const text = readFileSync(join(directory, 'package.json'), 'utf8')
  const { module } = JSON.parse(text) as { module: string }
  const build: { getPHPLoaderModule(): Promise<PhpLoader> } = await import(
    pathToFileURL(join(directory, module)).href
  )
  return build.getPHPLoaderModule()
}

/** Compiles a build; its threads share the code. */
export async function compileBuild(directory: string): Promise<Code> {
  const { dependencyFilename } = await importLoader(directory)
  return webAssembly.compile(readFileSync(dependencyFilename))
}
