// Where the project's own way to start PHP is found from here and from build/ alike: as '#php' of package.json.
export * from '../scripts/php.mjs'
