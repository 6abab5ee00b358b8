import { Pool } from 'pg';
import { completeHost, type SimulatorOptions, simulatorConfigSchema } from './config';
import { createControlApp } from './control-server';
import { Lives } from './lives';
import { SimulatedHost } from './simulated-host';
import { SimulatedServer } from './simulated-server';
import { type SubmissionEntry, SubmissionsLog } from './submissions-log';
import { scaledTimes } from './timing';

/** Connections of the stand-ins for PostgREST and for GH's API; each worker has up to three of its own. */
const restPoolMax = 6;
const apiPoolMax = 3;

export interface Simulator {
  hosts: SimulatedHost[];
  /** By ip or worker id; throws for an unknown one. */
  host(ipOrWorkerId: string): SimulatedHost;
  controlPort: number | null;
  kill(ip: string, options?: { restart?: boolean; api?: boolean }): void;
  terminate(ip: string, options?: { graceMs?: number }): void;
  restart(ip: string, options?: { graceMs?: number }): Promise<void>;
  hang(ip: string): void;
  partition(ip: string, scope?: 'http' | 'database' | 'both'): void;
  heal(ip: string): void;
  breakPostgrest(ip: string): void;
  lives: Lives;
  log(): SubmissionEntry[];
  /** Kills everything; leaves the tables as they are. */
  stop(): Promise<void>;
}

/** Starts the machines of a fleet in this process; ends when every worker that was deployed answers. */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const { say = () => {}, ...rest } = options;
  const config = simulatorConfigSchema.parse(rest);
  const log = new SubmissionsLog(config.logFile);
  const lives = new Lives();
  const directUrl = config.directUrl ?? config.databaseUrl;
  const restPool = createPool(config.databaseUrl, restPoolMax);
  const apiPool = createPool(config.databaseUrl, apiPoolMax);

  const hosts = config.hosts.map((entry) => {
    const host = completeHost(entry);
    const surroundings = { databaseUrl: config.databaseUrl, directUrl, serviceSecret: config.serviceSecret, restPool, log, say };
    const times = { ...scaledTimes(host.timeScale), ...host.times };
    return new SimulatedHost(host, surroundings, apiPool, times.containerRestartMs, lives);
  });
  const control = config.controlPort == null ? null : new SimulatedServer(createControlApp(hosts, log));

  const stop = async (): Promise<void> => {
    control?.close();
    for (const host of hosts) host.stop();
    await Promise.all([restPool.end(), apiPool.end()]);
  };

  try {
    const deployed = hosts.filter(({ config: { isDeployed } }) => isDeployed);
    await Promise.all(deployed.map((host) => host.start()));
    const failed = deployed.find((host) => !host.isReady);
    if (failed) throw new Error(`Simulated worker ${failed.workerId} did not start: ${failed.describe().lastExit?.reason}`);
    const controlPort =
      control && config.controlPort != null ? await control.listen({ host: '127.0.0.1', port: config.controlPort }) : null;
    const find = (ipOrWorkerId: string): SimulatedHost => {
      const host = hosts.find((candidate) => candidate.ip === ipOrWorkerId || candidate.workerId === ipOrWorkerId);
      if (!host) throw new Error(`No simulated host ${ipOrWorkerId}`);
      return host;
    };
    return {
      hosts,
      host: find,
      controlPort,
      kill: (ip, how) => find(ip).kill(how),
      terminate: (ip, how) => void find(ip).terminate(how),
      restart: (ip, how) => find(ip).restart(how),
      hang: (ip) => find(ip).hang(),
      partition: (ip, scope) => find(ip).partition(scope),
      heal: (ip) => find(ip).heal(),
      breakPostgrest: (ip) => find(ip).breakPostgrest(),
      lives,
      log: () => log.entries(),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function createPool(connectionString: string, max: number): Pool {
  const pool = new Pool({ connectionString, max });
  // A Postgres restart ends idle connections; the next query opens a new one.
  pool.on('error', () => {});
  return pool;
}
