/** `/`: the dashboard, as it was built: a page that is never kept, and files that never change under their name. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fastifyStatic } from '@fastify/static'
import type { FastifyPluginAsync } from 'fastify'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The service does not read the query: it is the page's own, whatever it says. */
    readonly isFile?: boolean
  }
}

export type DashboardRoutesOptions = {
  /** Where the built dashboard is. */
  readonly folder: string
}

export const dashboardRoutes: FastifyPluginAsync<DashboardRoutesOptions> = async (app, { folder }) => {
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, isFile: true }
  })
  if (!existsSync(join(folder, 'index.html'))) {
    app.log.warn('the dashboard is not built, / leads to the documentation: "npm run build" builds it')
    app.get('/', { schema: { hide: true } }, (_, reply) => reply.redirect('/docs'))
    return
  }
  await app.register(fastifyStatic, {
    root: folder,
    // Each file has a route of its own: whatever else is asked for is an unknown path like any other.
    wildcard: false,
    globIgnore: ['**/*.{br,gz}'],
    preCompressed: true,
    cacheControl: false,
    setHeaders: (reply, path) => {
      const isPage = /\.html(\.(br|gz))?$/.test(path)
      reply.header('cache-control', isPage ? 'no-store' : 'public, max-age=31536000, immutable')
      if (isPage) reply.headers(PAGE_HEADERS)
    },
  })
}

/** The page runs and loads what is of the service, and nothing else; no other page may frame it or learn its address. */
const PAGE_HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
}
