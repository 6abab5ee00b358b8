import type { CallbackSender } from './callbacks';
import type { Postgrest } from './postgrest';
import type { ProcessLife } from './process-life';
import type { SubmissionsLog } from './submissions-log';
import type { SimulatedTimes } from './timing';
import type { WorkerDatabase } from './worker-database';

/** What one worker process has at hand. */
export interface WorkerContext {
  workerId: string;
  processId: string;
  variant: 'main' | 'staging';
  timeScale: number;
  times: SimulatedTimes;
  life: ProcessLife;
  database: WorkerDatabase;
  rest: Postgrest;
  callbacks: CallbackSender;
  log: SubmissionsLog;
  /** By the clock of its machine: GH stamps job rows with it, and the registry with the database's. */
  now(): Date;
  /** Ends the process at once, as `process.exit` does. */
  exit(code: number, reason: string): void;
}
