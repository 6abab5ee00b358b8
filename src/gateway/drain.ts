import { once } from 'node:events';
import type { Server } from 'node:http';

const idleCheckMs = 100;

/** Takes no new connection, lets requests in flight finish, and cuts what is left when the grace is over. */
export const drain = async (server: Server, graceMs: number): Promise<void> => {
  const closed = once(server, 'close');
  server.close();
  // A connection that was busy at first is kept open by its client afterwards.
  const idle = setInterval(() => server.closeIdleConnections(), idleCheckMs);
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearInterval(idle);
  clearTimeout(cut);
};
