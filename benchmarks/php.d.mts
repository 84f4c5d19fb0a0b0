export * from '../scripts/php.d.mts'
