import type { Pool } from 'pg';
import type { FleetConfig } from '../contracts/fleet-config';
import type { Limits } from '../contracts/limits';
import type { HostPage } from '../ghosthands/client';
import type { Log } from '../log';
import type { SecretBox } from '../secret-box';
import type { KeyRing } from './middleware/auth';
import type { GatewayMetrics } from './gateway-metrics';
import type { ModelsReader } from './models-reader';
import type { DeploysClient } from './deploys-client';
import type { SharedChecks } from './shared-checks';
import type { LogStreams } from './sse/log-streams';
import type { WorkflowsClient } from './workflows-client';

/** Reads pages of GH hosts; never commands one. */
export interface HostReader {
  getPage(host: string, port: 'api' | 'worker', path: string, bounds?: { timeoutMs: number; answerBytesMax: number }): Promise<HostPage>;
}

/** The fleet as its owner has written it down. */
export interface FleetConfigReader {
  read(): Promise<FleetConfig>;
  current(): FleetConfig;
}

/** Everything the gateway works with, made by server.ts or by a test. */
export interface GatewayDeps {
  pool: Pool;
  workflows: WorkflowsClient;
  deploys: DeploysClient;
  streams: LogStreams;
  models: ModelsReader;
  hosts: HostReader;
  fleetConfig: FleetConfigReader;
  metrics: GatewayMetrics;
  checks: SharedChecks;
  log: Log;
  limits: Limits;
  /** Null without SECRETS_KEY: a resume that carries a code or a password is refused then. */
  secrets: SecretBox | null;
  keyRing: KeyRing;
  settings: {
    publicUrl: string;
    /** How many proxies in front of us tell the truth about the caller's address. */
    trustProxy: number;
    bodyBytesMax: number;
    rateLimitPerMinute: number;
    /** ATM's dashboard without a session: see openAtAtm. */
    atmOpenReads: boolean;
    allowedCallbackOrigins: readonly string[];
    /** Web pages of other origins that may read the dashboard's paths. */
    corsOrigins: readonly string[];
    /** What the dashboard calls the environment of machines whose own nobody has written down. */
    environment: string;
    /** PRODUCT_SEES_WORKER_ID: public rows name the worker. */
    showsWorkerId: boolean;
  };
  /** True from SIGTERM on. */
  isDraining: () => boolean;
}
