import type { Pool } from 'pg';
import type { FleetConfig } from '../../src/contracts/fleet-config';
import type { Limits } from '../../src/contracts/limits';
import type { WakeSignal } from '../../src/contracts/messages';
import type { RolePorts } from '../../src/domain/role-ports';
import type { Kamal } from '../../src/kamal/kamal';
import type { Log } from '../../src/log';
import type { DeployHostReader } from '../deps';

/** Neither Postgres nor Temporal can be reached: another deployer has the work by now, and what still runs here must end. */
export class CutOffError extends Error {
  override readonly name = 'CutOffError';
}

/** What the deployer passes in (workers/deployer.ts). */
export interface DeployDeps {
  pool: Pool;
  log: Log;
  limits: Limits;
  kamal: Kamal;
  hosts: DeployHostReader;
  /** The fleet as its owner has written it down. */
  fleetConfig: { read(): Promise<FleetConfig> };
  workflows: { ensureApplyJob(jobId: string, wake: WakeSignal): Promise<void> };
  /** Which of GH's ports each role of Kamal's is to answer on. */
  rolePorts: RolePorts;
  /** Names this control plane in Kamal's lock. */
  installation: string;
  heartbeat: (details: unknown) => void;
  /** Aborted when the workflow no longer wants it, the grace of a shutdown is over, or by a CutOffError. */
  cancellation: () => AbortSignal;
  /** Aborted at the beginning of a shutdown: the command that runs may end, no other one begins. */
  draining: AbortSignal;
  /** A deploy has ended: its destination is another one now. */
  onDeployEnded: (destination: string) => void;
}
