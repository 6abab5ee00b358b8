import path from 'node:path';
import { findTemporalCli } from './temporal-cli';
import { type RunningPostgres, startPostgres } from './postgres';
import { type RunningTemporal, startTemporalServer } from './temporal-server';

export interface StackOptions {
  /** State and logs live here. */
  dir: string;
  /** 0 takes any free port. */
  postgresPort: number;
  temporalPort: number;
  temporalUiPort: number | null;
  /** Throws the state away first. */
  fresh?: boolean;
  /** An existing Postgres is used instead of ours; `--fresh` never touches it. */
  databaseUrl?: string;
  postgresSettings?: Record<string, string>;
  /** Dynamic configuration of Temporal, `{ 'a.key': 'json' }`. */
  temporalSettings?: Record<string, string>;
  say?: (line: string) => void;
}

export interface Stack {
  databaseUrl: string;
  temporalAddress: string;
  /** Of Temporal's Web UI; empty when there is none. */
  uiUrl: string;
  temporalCli: string;
  /** Absent when the database is not ours. */
  postgres?: RunningPostgres;
  temporal: RunningTemporal;
  stop(): Promise<void>;
}

/** Postgres and Temporal on loopback, as the demo, the tests and the bench need them. What was started is stopped when the rest fails. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const say = options.say ?? (() => undefined);
  const temporalCli = await findTemporalCli({ say });
  const [postgres, temporal] = await Promise.allSettled([
    options.databaseUrl === undefined
      ? startPostgres({
          dir: path.join(options.dir, 'postgres'),
          port: options.postgresPort,
          fresh: options.fresh,
          settings: options.postgresSettings,
          say,
        })
      : undefined,
    startTemporalServer({
      cli: temporalCli,
      dir: path.join(options.dir, 'temporal'),
      port: options.temporalPort,
      uiPort: options.temporalUiPort,
      fresh: options.fresh,
      settings: options.temporalSettings,
      say,
    }),
  ]);
  if (postgres.status === 'rejected' || temporal.status === 'rejected') {
    const failed = [postgres, temporal].filter((started) => started.status === 'rejected');
    await Promise.all([postgres, temporal].map(async (started) => started.status === 'fulfilled' && started.value?.stop()));
    throw new Error(failed.map(({ reason }) => (reason instanceof Error ? reason.message : String(reason))).join('\n'));
  }
  return {
    databaseUrl: options.databaseUrl ?? postgres.value!.databaseUrl,
    temporalAddress: temporal.value.address,
    uiUrl: temporal.value.uiUrl,
    temporalCli,
    postgres: postgres.value,
    temporal: temporal.value,
    stop: async () => {
      await Promise.all([postgres.value?.stop(), temporal.value.stop()]);
    },
  };
}
