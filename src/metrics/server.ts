import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Log } from '../log';
import type { Metrics } from '.';
import { readMachine } from './machine';

export interface MetricsServer {
  port: number;
  stop(): Promise<void>;
}

/** `GET /metrics` and the figures of the machine on a port of their own, which need not be open to those who may call the API. */
export async function startMetricsServer(
  metrics: Metrics,
  { host, port, log }: { host: string; port: number; log: Log },
): Promise<MetricsServer> {
  const pages: Readonly<Record<string, () => Promise<{ type: string; text: string }>>> = {
    '/metrics': async () => ({ type: metrics.registry.contentType, text: await metrics.text() }),
    '/monitoring/system': async () => ({ type: 'application/json', text: JSON.stringify(await readMachine()) }),
  };
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0] ?? '';
    const page = request.method === 'GET' && Object.hasOwn(pages, path) ? pages[path] : undefined;
    if (page === undefined) {
      response.writeHead(404).end('Only GET /metrics and GET /monitoring/system are here.\n');
      return;
    }
    page().then(
      ({ type, text }) => response.writeHead(200, { 'content-type': type }).end(text),
      (error: unknown) => {
        log.warn('The metrics could not be collected', { error });
        response.writeHead(500).end();
      },
    );
  });
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  const boundPort = typeof address === 'object' && address !== null ? address.port : port;
  log.info('Metrics are served', { port: boundPort });
  return {
    port: boundPort,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
