import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Client } from 'pg';

/**
 * A small transaction pooler: many client sessions share one session of the server, which is lent out per transaction, as by PgBouncer with
 * pool_mode=transaction. What the server says while nobody has the session (a notification) is lost, as there.
 */
export async function startTransactionPooler(databaseUrl: string): Promise<{ databaseUrl: string; stop: () => Promise<void> }> {
  // pg logs in for us, then hands its socket over.
  const login = new Client({ connectionString: databaseUrl });
  login.on('error', () => undefined);
  await login.connect();
  const server: Duplex = Reflect.get(login, 'connection').stream;
  server.removeAllListeners('data');

  let borrower: Socket | undefined;
  const waiting: { client: Socket; bytes: Buffer }[] = [];
  const lend = (): void => {
    const next = borrower ? undefined : waiting.shift();
    if (!next) return;
    borrower = next.client;
    server.write(next.bytes);
  };
  server.on('data', (bytes: Buffer) => {
    borrower?.write(bytes);
    // "Ready for query, idle" ends each answer outside of a transaction.
    if (bytes.subarray(-6).equals(Buffer.from('Z\0\0\0\x05I', 'latin1'))) borrower = undefined;
    lend();
  });

  const clients = new Set<Socket>();
  const pooler = createServer((client) => {
    clients.add(client);
    let isStarted = false;
    client.on('error', () => undefined).on('close', () => clients.delete(client));
    client.on('data', (bytes: Buffer) => {
      if (!isStarted) {
        isStarted = true;
        // "You are in" and "ready for query".
        client.write(Buffer.from('R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I', 'latin1'));
      } else if (bytes[0] !== 'X'.charCodeAt(0)) {
        waiting.push({ client, bytes });
        lend();
      }
    });
  });
  pooler.listen(0, '127.0.0.1');
  await once(pooler, 'listening');
  const address = pooler.address();
  const url = new URL(databaseUrl);
  if (typeof address === 'object' && address) url.port = String(address.port);
  return {
    databaseUrl: url.href,
    stop: async () => {
      for (const client of clients) client.destroy();
      pooler.close();
      server.destroy();
      await once(pooler, 'close');
    },
  };
}
