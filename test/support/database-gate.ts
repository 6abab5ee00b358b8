import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A way to Postgres that can be closed for those who go through it: their sessions break, new ones are refused, the server itself lives on. */
export interface DatabaseGate {
  databaseUrl: string;
  close(): Promise<void>;
  open(): Promise<void>;
  stop: () => Promise<void>;
}

export const startDatabaseGate = async (databaseUrl: string): Promise<DatabaseGate> => {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    keep(client);
    keep(upstream);
    client.on('close', () => upstream.destroy()).pipe(upstream);
    upstream.on('close', () => client.destroy()).pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The gate has no port');
  const { port } = address;
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, 'close');
  };
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String(port);
  return {
    databaseUrl: url.href,
    close,
    async open() {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
    },
    stop: close,
  };
};
