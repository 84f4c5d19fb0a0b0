// Loads the framework that serves; the others are not loaded, which would take as long again.
import type { Settings } from '../settings/settings.ts'
import type { CreateSite } from './site.ts'

const LOADERS: Readonly<Record<Settings['adapter'], () => Promise<{ createSite: CreateSite }>>> = {
  fastify: () => import('./with-fastify.ts'),
  express: () => import('./with-express.ts'),
  http: () => import('./with-http.ts'),
}

/** Loads an adapter. */
export async function loadAdapter(name: Settings['adapter']): Promise<CreateSite> {
  return (await LOADERS[name]()).createSite
}
