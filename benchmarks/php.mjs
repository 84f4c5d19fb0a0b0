// Re-exports scripts/php.mjs as '#php' (package.json, imports), so that the path is the same from here and from build/.
export * from '../scripts/php.mjs'
