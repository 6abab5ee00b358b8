import { once } from 'node:events';
import { createServer } from 'node:http';
import type { CallbackBody } from '../../src/contracts/callback';

/** `hang_up`: it took the callback, and its answer is lost, so that the sender must send it again. */
export type ProductBehaviour = 'answer' | 'refuse' | 'hang_up';

/** A product that only listens, with VALET's answer. */
export interface ProductReceiver {
  origin: string;
  callbackUrl: string;
  /** Everything that it took, in the order of arrival. */
  received: readonly CallbackBody[];
  stop: () => Promise<void>;
}

export const startProductReceiver = async ({
  behaviour = () => 'answer',
}: { behaviour?: () => ProductBehaviour } = {}): Promise<ProductReceiver> => {
  const received: CallbackBody[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const now = behaviour();
      if (now === 'refuse') {
        response.writeHead(503).end();
        return;
      }
      received.push(parseBody(Buffer.concat(chunks).toString('utf8')));
      if (now === 'hang_up') request.socket.destroy();
      else response.writeHead(200, { 'content-type': 'application/json' }).end('{"received":true}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The product has no port');
  const origin = `http://127.0.0.1:${address.port}`;
  return {
    origin,
    callbackUrl: `${origin}/callbacks`,
    received,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close').catch(() => undefined);
    },
  };
};

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The checker compares it with what was written.
const parseBody = (text: string): CallbackBody => JSON.parse(text) as CallbackBody;
