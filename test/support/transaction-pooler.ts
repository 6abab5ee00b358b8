import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Client } from 'pg';

/**
 * A small transaction pooler: many client sessions share one session of the server, which is lent out per transaction, as by PgBouncer with
 * pool_mode=transaction. What the server says while nobody has the session (a notification) is lost, as there, and whoever wants settings of his own is refused.
 */
export async function startTransactionPooler(databaseUrl: string): Promise<{ databaseUrl: string; stop: () => Promise<void> }> {
  // pg logs in for us, then hands its socket over.
  const login = new Client({ connectionString: databaseUrl });
  login.on('error', () => undefined);
  await login.connect();
  const server: Duplex = Reflect.get(login, 'connection').stream;
  server.removeAllListeners('data');

  // Who has the session until his transaction ends, and whether the server still owes him an answer.
  let borrower: Socket | undefined;
  let isAnswering = false;
  const waiting: { client: Socket; request: Buffer }[] = [];
  const lend = (): void => {
    const index = borrower === undefined ? 0 : waiting.findIndex(({ client }) => client === borrower);
    const next = isAnswering ? undefined : waiting[index];
    if (next === undefined) return;
    waiting.splice(index, 1);
    borrower = next.client;
    isAnswering = true;
    server.write(next.request);
  };
  const takeAnswers = splitMessages();
  server.on('data', (bytes: Buffer) => {
    for (const message of takeAnswers(bytes)) {
      borrower?.write(message);
      if (message[0] !== 'Z'.charCodeAt(0)) continue;
      isAnswering = false;
      // "Ready for query", and no transaction is open.
      if (message[5] === 'I'.charCodeAt(0)) borrower = undefined;
    }
    lend();
  });

  const clients = new Set<Socket>();
  const pooler = createServer((client) => {
    clients.add(client);
    let isStarted = false;
    const takeMessages = splitMessages();
    let request: Buffer[] = [];
    client.on('error', () => undefined).on('close', () => clients.delete(client));
    client.on('data', (bytes: Buffer) => {
      if (!isStarted) {
        isStarted = true;
        if (bytes.includes('\0options\0')) {
          client.end(refusal);
          return;
        }
        // "You are in" and "ready for query".
        client.write(Buffer.from('R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I', 'latin1'));
        return;
      }
      for (const message of takeMessages(bytes)) {
        const kind = String.fromCharCode(message[0] ?? 0);
        // "Goodbye": the session is not his to end.
        if (kind === 'X') continue;
        request.push(message);
        // A query, or the Sync behind the parts of one: only then does the server answer.
        if (kind !== 'Q' && kind !== 'S') continue;
        waiting.push({ client, request: Buffer.concat(request) });
        request = [];
      }
      lend();
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

const refusedFields = ['SFATAL', 'VFATAL', 'C08P01', 'Munsupported startup parameter: options', ''].map((field) => `${field}\0`).join('');
const refusal = Buffer.concat([Buffer.from('E'), Buffer.from([0, 0, 0, refusedFields.length + 4]), Buffer.from(refusedFields)]);

/** Whole messages of the protocol, a byte of kind and four of length before each, however a busy machine cuts the stream. */
const splitMessages = (): ((bytes: Buffer) => Buffer[]) => {
  let rest = Buffer.alloc(0);
  return (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    const messages: Buffer[] = [];
    while (rest.length >= 5 && rest.length >= 1 + rest.readInt32BE(1)) {
      const end = 1 + rest.readInt32BE(1);
      messages.push(rest.subarray(0, end));
      rest = rest.subarray(end);
    }
    return messages;
  };
};
