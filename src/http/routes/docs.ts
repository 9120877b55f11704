/** `/docs`: the API to read and to try, drawn by Swagger UI. */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fastifyStatic } from '@fastify/static'
import type { FastifyPluginAsync } from 'fastify'

const SWAGGER_UI = join(dirname(fileURLToPath(import.meta.resolve('@fastify/swagger-ui'))), 'static')
const PAGE = fileURLToPath(new URL('../docs', import.meta.url))

export const docsRoutes: FastifyPluginAsync = async (app) => {
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, isFile: true }
  })
  app.addHook('onSend', (_, reply, __, next) => {
    reply.header('content-security-policy', POLICY)
    next()
  })
  await app.register(fastifyStatic, { root: SWAGGER_UI, prefix: '/docs/static/', decorateReply: false })
  await app.register(fastifyStatic, { root: PAGE, prefix: '/docs/page/' })
  app.get('/docs', { schema: { hide: true } }, (_, reply) => reply.sendFile('index.html', PAGE))
  app.get('/docs/', { schema: { hide: true } }, (_, reply) => reply.redirect('/docs'))
}

/** As strict as Swagger UI allows. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')
