/** A gateway whose cache is in Redis, in a process of its own: `node redis-gateway-program.js UPSTREAM REDIS_PORT`. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CACHE_TAGS_FIELD, type CacheStore, type PurgeSelector } from '@fastcgi/cache'
import { createGateway } from '@fastcgi/gateway'
import { RedisCacheStore } from 'undici-cache-redis'

const [upstream = '', redisPort = ''] = process.argv.slice(2)
const store = new RedisCacheStore({
  cacheTagsHeader: CACHE_TAGS_FIELD,
  // What another process purges is gone here, too.
  tracking: false,
  // While Redis is away, commands wait: this store leaves the rejection of some that fail unhandled.
  clientOpts: {
    host: '127.0.0.1',
    port: Number(redisPort),
    maxRetriesPerRequest: null,
    retryStrategy: () => 50,
  },
  errorCallback: () => {},
})
const gateway = createGateway({
  upstream,
  root: '/',
  backendType: 'generic',
  cache: { store: store as unknown as CacheStore, storeTimeout: 500 },
})
const server = createServer(gateway.handler).listen(0, '127.0.0.1', () =>
  process.send?.({ port: (server.address() as AddressInfo).port }),
)
process.on('message', async (selector: PurgeSelector) => {
  await gateway.cache?.purge(selector)
  process.send?.('purged')
})
process.on('disconnect', () => process.exit())
