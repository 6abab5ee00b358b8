import { Pool } from 'pg';
import { z } from 'zod';
import { createApiApp } from '../../gh/api-server';
import { completeHost, type HostConfig, simulatorConfigSchema } from '../../gh/config';
import { SimulatedServer } from '../../gh/simulated-server';
import { SimulatedWorker } from '../../gh/simulated-worker';
import { SubmissionsLog } from '../../gh/submissions-log';

/**
 * What a container of GH runs: `api` (role web) or `worker` (role workers) of one simulated machine. The process is the container, so its end,
 * whatever ended it, is the container's end, and Docker's restart policy does the rest.
 */
const environmentSchema = z.object({
  DATABASE_URL: z.string(),
  GH_SERVICE_SECRET: z.string(),
  /** Kamal sets it; with the host's network it is the address to listen on. */
  KAMAL_HOST: z.string(),
  /** Baked into the image, so it tells which image runs, whatever was asked for. */
  IMAGE_TAG: z.string(),
  GH_API_PORT: z.coerce.number().int(),
  GH_WORKER_PORT: z.coerce.number().int(),
  GH_TIME_SCALE: z.coerce.number().positive().default(1),
  SUBMISSIONS_LOG: z.string().optional(),
  GH_VARIANT: z.enum(['main', 'staging']).default('staging'),
});

const apiPoolMax = 3;
const restPoolMax = 6;

async function main(role: string | undefined): Promise<void> {
  const environment = environmentSchema.parse(process.env);
  const databaseUrl = environment.DATABASE_URL;
  const { hosts, serviceSecret } = simulatorConfigSchema.parse({
    databaseUrl,
    serviceSecret: environment.GH_SERVICE_SECRET,
    hosts: [
      {
        workerId: `gh-worker-${environment.KAMAL_HOST}`,
        ip: environment.KAMAL_HOST,
        apiPort: environment.GH_API_PORT,
        statusPort: environment.GH_WORKER_PORT,
        imageTag: environment.IMAGE_TAG,
        commitSha: environment.IMAGE_TAG,
        timeScale: environment.GH_TIME_SCALE,
        variant: environment.GH_VARIANT,
      },
    ],
  });
  const config = completeHost(hosts[0]!);
  const pool = (max: number): Pool => new Pool({ connectionString: databaseUrl, max }).on('error', () => undefined);
  if (role === 'api') await startApi(config, pool(apiPoolMax), serviceSecret);
  else if (role === 'worker') {
    const worker = new SimulatedWorker(
      config,
      {
        databaseUrl,
        directUrl: databaseUrl,
        serviceSecret,
        restPool: pool(restPoolMax),
        log: new SubmissionsLog(environment.SUBMISSIONS_LOG),
        say: (line) => console.log(line),
        onExit(_worker, code, reason) {
          console.log(`exits with ${code}: ${reason}`);
          process.exit(code);
        },
      },
      'legacy',
    );
    process.on('SIGTERM', () => void worker.terminate());
    await worker.start();
  } else throw new Error(`Say which role to play: api or worker, not ${role}`);
  console.log(`${role} of ${config.workerId} runs ${environment.IMAGE_TAG}`);
}

async function startApi(config: HostConfig, pool: Pool, serviceSecret: string): Promise<void> {
  const server = new SimulatedServer(createApiApp({ host: config, pool, serviceSecret, startedAt: Date.now(), findIllness: () => null }));
  await server.listen({ host: config.listenIp, port: config.apiPort });
  process.once('SIGTERM', () => process.exit(0));
}

main(process.argv[2]).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
