import { once } from 'node:events';
import type { Server } from 'node:http';
import { Server as PortServer } from 'node:net';

const idleCheckMs = 100;
/** How much longer the head of a request may take than its connection may be idle, so that the one time never ends in the other. */
const headersSlackMs = 5_000;

/**
 * How long a connection without a request is kept: longer than whoever pools them does, since a request that meets the close on its way is lost, and a POST
 * is not sent twice.
 */
export const keepIdleConnections = (server: Server, keepAliveMs: number): void => {
  server.keepAliveTimeout = keepAliveMs;
  server.headersTimeout = keepAliveMs + headersSlackMs;
  server.requestTimeout = Math.max(server.requestTimeout, server.headersTimeout);
};

/**
 * Takes no new connection, lets requests in flight finish, and cuts what is left when the grace is over. A kept connection gets one more answer, which
 * closes it (app.ts); only one that has not been used since `idleMs` ago is closed by us.
 */
export const drain = async (server: Server, { graceMs, idleMs }: { graceMs: number; idleMs: number }): Promise<void> => {
  const closed = once(server, 'close');
  // The close of an HTTP server would cut its idle connections at once.
  PortServer.prototype.close.call(server);
  let idle: NodeJS.Timeout | undefined;
  const closeIdle = setTimeout(
    () => {
      idle = setInterval(() => server.closeIdleConnections(), idleCheckMs);
    },
    Math.min(idleMs, graceMs / 2),
  );
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  for (const timer of [closeIdle, idle, cut]) clearTimeout(timer);
};
