# One image for the gateway, the orchestrator and the migrations; docker-compose.temporal.yml says which one a container is.
FROM node:20-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./

FROM dependencies AS build
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
COPY workflows ./workflows
COPY activities ./activities
COPY workers ./workers
# Compiles, and makes the bundle of the workflows once, so that no process bundles at its start.
RUN npm run build

FROM dependencies AS production
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:20-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=production /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# The migrations are plain SQL, found beside package.json.
COPY package.json ./
COPY src/db/migrations ./src/db/migrations
# Nothing here is written to at run time, so it stays root's.
USER node
EXPOSE 3080 9464 9465
ENTRYPOINT ["node", "--enable-source-maps"]
CMD ["dist/src/gateway/server.js"]
