/** `/`: the built dashboard: a page that is never cached, and assets whose names change with their content. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fastifyStatic } from '@fastify/static'
import type { FastifyPluginAsync } from 'fastify'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The query belongs to the page, so the service does not check it. */
    readonly isFile?: boolean
  }
}

export type DashboardRoutesOptions = {
  /** Folder of the built dashboard. */
  readonly folder: string
}

export const dashboardRoutes: FastifyPluginAsync<DashboardRoutesOptions> = async (app, { folder }) => {
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, isFile: true }
  })
  if (!existsSync(join(folder, 'index.html'))) {
    app.log.warn('the dashboard is not built, so / redirects to /docs; run "npm run build" to build it')
    app.get('/', { schema: { hide: true } }, (_, reply) => reply.redirect('/docs'))
    return
  }
  await app.register(fastifyStatic, {
    root: folder,
    // One route per file, so that any other path is an unknown path like everywhere else.
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

/** The page loads scripts and data from this service only. Other pages cannot frame it or see its address. */
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
