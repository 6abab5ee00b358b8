import { z } from 'zod';
import { healthStatuses } from '../../domain/health';
import { printableSchema, textSchema } from '../schemas/values';

/** Shapes and types as the dashboard relies on them (atm §4.1): it calls `.toFixed` on numbers, `.length` on strings, `Number()` on an uptime. */
export const atmErrorSchema = z
  .union([z.strictObject({ success: z.literal(false), message: z.string() }), z.strictObject({ error: z.string() })])
  .meta({ id: 'AtmError', description: "ATM's words for an error, by path." });

const number = z.number();
const cpu = z.strictObject({ usagePercent: number, cores: z.int() });
const memory = z.strictObject({ usedMb: number, totalMb: number, usagePercent: number });
const disk = z.strictObject({ usedGb: number, totalGb: number, usagePercent: number });

export const atmMetricsSchema = z
  .strictObject({
    available: z.literal(true),
    cpu,
    memory,
    disk,
    network: z.strictObject({ rxBytesPerSec: z.literal(0), txBytesPerSec: z.literal(0) }),
  })
  .meta({ id: 'AtmMetrics' });

export const hostMetricsSchema = z.strictObject({ available: z.boolean(), cpu, memory, disk }).meta({ id: 'AtmHostMetrics' });

const ghosthandsVersion = z.union([
  z.object({ status: z.literal('unreachable') }),
  z.object({ commit_sha: z.string(), image_tag: z.string() }).loose(),
]);
export const atmVersionSchema = z
  .strictObject({ deployServer: z.string(), version: z.string(), ghosthands: ghosthandsVersion, uptimeMs: z.int() })
  .meta({ id: 'AtmVersion' });

export const containersSchema = z.array(z.unknown()).max(0).meta({ id: 'AtmContainers', description: 'We look into no Docker socket.' });

const workerFields = {
  workerId: z.string(),
  containerId: z.string(),
  containerName: z.string(),
  status: z.string(),
  activeJobs: z.int(),
  statusPort: z.int(),
  image: z.string(),
};
/** Seconds: a number here, a text below `/fleet/:id` (atm §1.3). */
export const atmWorkersSchema = z.array(z.strictObject({ ...workerFields, uptime: z.int() })).meta({ id: 'AtmWorkers' });
export const hostWorkersSchema = z.array(z.strictObject({ ...workerFields, uptime: z.string() })).meta({ id: 'AtmHostWorkers' });

export const hostHealthSchema = z
  .strictObject({
    status: z.enum(healthStatuses),
    reason: z.string(),
    activeWorkers: z.int().meta({ description: 'Really active jobs.' }),
    deploySafe: z.boolean(),
    apiHealthy: z.boolean(),
    workerStatus: z.string(),
    currentDeploy: z.string().nullable(),
    uptimeMs: z.int(),
  })
  .meta({ id: 'AtmHostHealth' });

const serverSchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  host: z.string().meta({ description: 'What the dashboard puts before its paths.' }),
  environment: z.string(),
  region: z.string(),
  type: z.string(),
  role: z.enum(['atm', 'ghosthands']),
  ip: z.string().optional().meta({ description: 'Only for who shows a key.' }),
  ec2InstanceId: z.string().optional(),
});

export const fleetQuerySchema = z.object({
  environment: printableSchema(50).optional(),
  includeTerminated: printableSchema(10).optional(),
});
export const fleetListSchema = z
  .strictObject({
    servers: z.array(serverSchema),
    filter: z.strictObject({ environment: z.string(), includeTerminated: z.boolean(), currentEnvironment: z.string() }),
  })
  .meta({ id: 'AtmFleet' });
export const reloadedSchema = z
  .strictObject({ success: z.literal(true), count: z.int(), servers: z.array(serverSchema) })
  .meta({ id: 'AtmReloaded' });

export const idleStatusSchema = z
  .strictObject({
    enabled: z.literal(false).meta({ description: 'We start and stop no machines.' }),
    config: z.strictObject({ idleTimeoutMs: z.int(), minRunning: z.int(), pollIntervalMs: z.int() }),
    workers: z.array(
      z.strictObject({
        serverId: z.string(),
        ip: z.string().nullable(),
        instanceId: z.string().nullable(),
        ec2State: z.enum(['running', 'unknown']),
        activeJobs: z.int(),
        idleSinceMs: z.int().nullable(),
        transitioning: z.literal(false),
      }),
    ),
  })
  .meta({ id: 'AtmIdleStatus' });

export const serverParamsSchema = z.object({ serverId: textSchema });
export const proxyParamsSchema = z.object({
  serverId: textSchema,
  path: z.array(printableSchema(2_048)).meta({ type: 'string', items: undefined, description: 'Slashes are taken as they are.' }),
});

export const alreadyRunningSchema = z
  .strictObject({ status: z.literal('already_running'), serverId: z.string(), instanceId: z.string(), ip: z.string().nullable() })
  .meta({ id: 'AtmAlreadyRunning' });

export const secretsStatusSchema = z.strictObject({ connected: z.literal(false), error: z.string() }).meta({ id: 'AtmSecretsStatus' });

/** Strict: with a slip in the name every worker of the machine would be drained. */
export const atmDrainSchema = z.strictObject({ worker_id: textSchema.optional() }).meta({ id: 'AtmWorkerDrain' });
export const atmDrainedSchema = z.strictObject({ success: z.literal(true), message: z.string() }).meta({ id: 'AtmWorkerDraining' });
