/** The built dashboard: a page that is never cached, and assets whose names change with their content. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fastifyStatic } from '@fastify/static'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'

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

/** Where the areas of the page are, besides `/`. */
const AREAS = ['/messages', '/rate-cards', '/intake', '/organizations', '/developers']

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
  for (const path of AREAS) app.get(path, { schema: { hide: true } }, (_, reply) => reply.sendFile('index.html'))
}

/** Answers a browser that opens an unknown address with the page, which says so. Paths of the API answer JSON to everyone. */
export const createUnknownPage = ({ folder }: DashboardRoutesOptions) => {
  const file = join(folder, 'index.html')
  const page = existsSync(file) ? readFileSync(file, 'utf8') : undefined
  return (request: FastifyRequest, reply: FastifyReply): FastifyReply | undefined => {
    const isVisit = request.method === 'GET' && request.headers.accept?.includes('text/html') === true
    if (page === undefined || !isVisit || /^\/(v1|assets)\//.test(request.url)) return undefined
    return reply
      .code(404)
      .headers({ ...PAGE_HEADERS, 'cache-control': 'no-store' })
      .type('text/html; charset=utf-8')
      .send(page)
  }
}

/** The page loads scripts and data from this service only. Other pages cannot frame it or see its address. */
const PAGE_HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "font-src 'self'",
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
