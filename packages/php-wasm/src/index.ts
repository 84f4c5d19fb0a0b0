/**
 * PHP compiled to WebAssembly as a FastCGI program, for machines without PHP.
 * @packageDocumentation
 */
export { findPhpWasm, INSTALL_COMMAND, type PhpBuild } from './builds.ts'
export { type PhpWasmCommand, type PhpWasmOptions, phpWasm } from './command.ts'
export type { PhpIni } from './ini.ts'
