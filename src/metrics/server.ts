import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Log } from '../log';
import type { Metrics } from '.';

export interface MetricsServer {
  port: number;
  stop(): Promise<void>;
}

/** `GET /metrics` on a port of its own, which need not be open to those who may call the API. */
export async function startMetricsServer(
  metrics: Metrics,
  { host, port, log }: { host: string; port: number; log: Log },
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (request.method !== 'GET' || path !== '/metrics') {
      response.writeHead(404).end('Only GET /metrics is here.\n');
      return;
    }
    metrics.text().then(
      (text) => response.writeHead(200, { 'content-type': metrics.registry.contentType }).end(text),
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
