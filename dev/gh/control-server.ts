import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { z } from 'zod';
import type { SimulatedHost } from './simulated-host';
import type { SubmissionsLog } from './submissions-log';

type Action = (host: SimulatedHost, body: unknown) => unknown;

/** What can be done to a host, and the JSON body that it takes. */
const actions: Record<string, Action> = {
  kill: (host, body) => host.kill(z.object({ restart: z.boolean(), api: z.boolean() }).partial().parse(body)),
  term: (host, body) => host.terminate(graceSchema.parse(body)),
  restart: (host, body) => host.restart(graceSchema.parse(body)),
  start: async (host) => {
    await host.startApi();
    await host.startWorker();
  },
  hang: (host) => host.hang(),
  partition: (host, body) => host.partition(z.object({ scope: z.enum(['http', 'database', 'both']).default('both') }).parse(body).scope),
  clock: (host, body) => host.setClock(z.object({ skewMs: z.number().int() }).parse(body).skewMs),
  replace: (host, body) => host.replace(z.object({ workerId: z.string().min(1), instanceId: z.string().optional() }).parse(body)),
  heal: (host) => host.heal(),
  'postgrest-outage': (host) => host.breakPostgrest(),
  'api-down': (host) => host.stopApi(),
  'api-up': (host) => host.startApi(),
  'api-ill': (host, body) => host.setApiIllness(z.object({ code: z.number().int(), status: z.string() }).parse(body)),
  'api-well': (host) => host.setApiIllness(null),
  'worker-up': (host) => host.startWorker(),
  image: (host, body) => host.setImage(z.object({ imageTag: z.string() }).parse(body).imageTag),
  mode: (host, body) => host.setMode(z.object({ mode: z.enum(['legacy', 'queue']) }).parse(body).mode),
  twin: async (host, body) => {
    const where = z.object({ ip: z.string(), listenIp: z.string(), statusPort: z.number().int() }).partial().parse(body);
    return (await host.twin(where)).describe();
  },
  'end-twins': (host, body) => host.endTwins(z.object({ how: z.enum(['kill', 'term']).default('kill') }).parse(body).how),
  release: async (host) => ({ released: await host.releaseRows() }),
};

const graceSchema = z.object({ graceMs: z.number().nonnegative().optional() });

/** For the demo and for tests in other processes: what happens to the machines. */
export function createControlApp(hosts: SimulatedHost[], log: SubmissionsLog): Express {
  const app = express();
  app.use(express.json());

  app.get('/state', (_request, response) => {
    response.json({ hosts: hosts.map((host) => host.describe()) });
  });

  app.get('/log', (request, response) => {
    const after = z.coerce.number().catch(0).parse(request.query.after);
    response.json({ entries: log.entries().filter((entry) => entry.seq > after) });
  });

  app.post('/hosts/:ip/:action', async (request, response) => {
    const { ip, action } = request.params;
    const host = hosts.find((candidate) => candidate.ip === ip || candidate.workerId === ip);
    const act = Object.hasOwn(actions, action) ? actions[action] : undefined;
    if (host && act) {
      const result = await act(host, request.body ?? {});
      response.json({ result: result ?? null, state: host.describe() });
    } else response.status(404).json({ error: host ? `no action ${action}` : `no host ${ip}`, actions: Object.keys(actions) });
  });

  app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) => {
    response.status(error instanceof z.ZodError ? 400 : 500).json({ error: error instanceof Error ? error.message : String(error) });
  });
  return app;
}
