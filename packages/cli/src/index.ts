/**
 * The types of a configuration file of `fastcgi serve`: `import { defineConfig } from '@fastcgi/cli'`.
 * @packageDocumentation
 */
export { defineConfig, type HttpsFiles, type ServeConfig } from './settings/config.ts'
export type { SiteName } from './settings/site.ts'
