import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Log } from '../log';
import type { Metrics } from '.';
import { readMachine } from './machine';

export interface MetricsServer {
  port: number;
  stop(): Promise<void>;
}

interface Page {
  status?: number;
  type: string;
  text: string;
}

/** What the process needs, as its /readyz shows it. */
export type ReadReadiness = () => Promise<{
  isReady: boolean;
  checks: { postgres: string; temporal: string };
  detail: string | null;
  lastSweepAgeSeconds: number | null;
}>;

/**
 * `GET /metrics`, whether the process is ready, and the figures of the machine on a port of their own, which need not be open to those who may call the API.
 */
export async function startMetricsServer(
  metrics: Metrics,
  { host, port, log, readReadiness }: { host: string; port: number; log: Log; readReadiness?: ReadReadiness },
): Promise<MetricsServer> {
  const pages: Readonly<Record<string, () => Promise<Page>>> = {
    '/metrics': async () => ({ type: metrics.registry.contentType, text: await metrics.text() }),
    '/monitoring/system': async () => json(200, await readMachine()),
    '/livez': () => Promise.resolve(json(200, { status: 'alive' })),
    ...(readReadiness === undefined ? {} : { '/readyz': async () => readyPage(await readReadiness()) }),
  };
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0] ?? '';
    const page = request.method === 'GET' && Object.hasOwn(pages, path) ? pages[path] : undefined;
    if (page === undefined) {
      response.writeHead(404).end(`Only GET of ${Object.keys(pages).join(', ')} is here.\n`);
      return;
    }
    page().then(
      ({ status = 200, type, text }) => response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(text),
      (error: unknown) => {
        log.warn('A page of the metrics port could not be made', { path, error });
        response.writeHead(500).end();
      },
    );
  });
  server.listen(port, host);
  await once(server, 'listening');
  server.on('error', (error) => log.warn('A connection could not be accepted', { port, error }));
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

const json = (status: number, body: object): Page => ({ status, type: 'application/json', text: JSON.stringify(body) });

const readyPage = ({ isReady, checks, detail, lastSweepAgeSeconds }: Awaited<ReturnType<ReadReadiness>>): Page =>
  json(isReady ? 200 : 503, {
    status: isReady ? 'ready' : 'not_ready',
    checks,
    ...(detail === null ? {} : { detail }),
    lastSweepAgeSeconds,
  });
