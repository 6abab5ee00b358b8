import { z } from 'zod';
import type { SimulatedTimes } from './timing';

const hostSchema = z.object({
  workerId: z.string(),
  /** As the registry shows it. */
  ip: z.string(),
  /** Where the ports are bound: macOS has only 127.0.0.1, so there it differs from `ip`. */
  listenIp: z.string().optional(),
  /** 0 takes any free port. */
  apiPort: z.number().int().default(3100),
  statusPort: z.number().int().default(3101),
  instanceId: z.string().optional(),
  /** False: nothing was deployed to it yet; API and worker run when somebody starts them. */
  isDeployed: z.boolean().default(true),
  variant: z.enum(['main', 'staging']).default('main'),
  /** 0.1 makes heartbeats, polls, waits and delays ten times as fast; times named in a target URL stay as they are. */
  timeScale: z.number().positive().default(1),
  /** Single times, in milliseconds, already scaled. */
  times: z.custom<Partial<SimulatedTimes>>((value) => value === undefined || typeof value === 'object').optional(),
  dispatchMode: z.enum(['legacy', 'queue']).default('legacy'),
  /** False: no pool, so no attempt id, no cancel listener, and resume by polling (ghosthands §2.4). */
  hasDirectUrl: z.boolean().default(true),
  /** Only with the variant staging. */
  hasCallbackDedupe: z.boolean().default(true),
  /** Its API carries out cancels and retries, as no branch that was looked at does: it writes what their SQL means to write (ghosthands §1.4). */
  honoursCommands: z.boolean().default(false),
  imageTag: z.string().default('ghosthands:simulated'),
  commitSha: z.string().default('0000000'),
});

export const simulatorConfigSchema = z.object({
  databaseUrl: z.string(),
  /** What workers use for LISTEN; without it they take databaseUrl. */
  directUrl: z.string().optional(),
  hosts: z.array(hostSchema).min(1),
  serviceSecret: z.string(),
  logFile: z.string().optional(),
  /** 0 takes any free port; null has no control endpoint. */
  controlPort: z.number().int().nullable().optional(),
});

export type SimulatorOptions = z.input<typeof simulatorConfigSchema> & {
  /** Refused writes and exits, one line each. */
  say?: (line: string) => void;
};

export type HostConfig = z.output<typeof hostSchema> & { listenIp: string; instanceId: string };

/** What a host entry leaves out. */
export function completeHost(host: z.output<typeof hostSchema>): HostConfig {
  return { ...host, listenIp: host.listenIp ?? host.ip, instanceId: host.instanceId ?? `i-${host.workerId}` };
}
