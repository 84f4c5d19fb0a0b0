/**
 * Starts FastCGI applications and keeps them, as lighttpd, mod_fastcgi and spawn-fcgi do.
 * @packageDocumentation
 */
export type { ProcessEvent, ProcessLogger } from './log.ts'
export { createProcessManager, type ProcessFigures, ProcessManager } from './manager.ts'
export type { ManagerMode, ProcessManagerOptions, Start } from './options.ts'
export { type PhpCgiOptions, type PhpFpmOptions, type PhpIni, phpCgi, phpFpm } from './php.ts'
export { DynamicGroup } from './policies/dynamic.ts'
export type { DynamicOptions } from './policies/dynamic-rules.ts'
export type { ProcessState } from './process.ts'
export type { ResourceLimits, SpawnOptions } from './spawn-options.ts'
