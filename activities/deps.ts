import type { Pool } from 'pg';
import type { CallbackBody } from '../src/contracts/callback';
import type { WorkerStatus } from '../src/contracts/ghosthands';
import type { Limits } from '../src/contracts/limits';
import type { WakeSignal } from '../src/contracts/messages';
import type { Observe } from '../src/contracts/observations';
import type { CallbackReply } from '../src/domain/callback-answer';
import type { Log } from '../src/log';

/** What activities use of the world, passed in by the process that runs them (workers/orchestrator.ts) or by a test. */
export interface OrchestratorDeps {
  pool: Pool;
  log: Log;
  limits: Limits;
  /** For the figures of this process; reported after the commit. */
  observe: Observe;
  workflows: WorkflowsPort;
  hosts: HostReader;
  /** PRODUCT_SEES_WORKER_ID: public rows and callbacks name the worker. */
  showsWorkerId: boolean;
  callbacks: { send(url: string, body: CallbackBody): Promise<CallbackReply> };
}

/** What commands need besides. */
export interface CommandDeps extends OrchestratorDeps {
  hosts: HostClient;
  /** Which means stop a running attempt, in this order (CANCEL_MEANS). */
  cancelMeans: readonly CancelMeans[];
  /** Seals and opens what a resume carries; null without a key, and then no secret can have been sealed. */
  secrets: { open(sealed: Buffer): string; seal(text: string): Buffer } | null;
}

export type CancelMeans = 'listener' | 'recycle' | 'http';

/** A retry or resolve as it was accepted; it is for that generation alone. */
export interface PersonMessage {
  jobId: string;
  generation: number;
  kind: 'retry' | 'resolve';
  actor: string;
  submitted: boolean;
  note: string | null;
}

/** The few things that an activity asks of Temporal. All are idempotent. */
export interface WorkflowsPort {
  /** A hint to a running workflow; a missing one is no error. */
  wake(jobId: string, reason: string): Promise<void>;
  /** Starts a workflow over the job's row, or joins the one that runs; then wakes it. */
  ensureApplyJob(jobId: string, wake: WakeSignal): Promise<void>;
  /** Starts the workflow of an open command that has none. */
  ensureCommand(command: { kind: 'cancel' | 'resume'; jobId: string }): Promise<void>;
  /** Sends a person's message to a job again, which is started over its row where no workflow runs. */
  repeatMessage(message: PersonMessage): Promise<void>;
  /** Replaces the process that had this attempt; joins a recycle of that worker that runs. */
  ensureRecycleWorker(left: { workerId: string; attemptId: string }): Promise<void>;
  ensureDeliverCallbacks(jobId: string, generation: number): Promise<void>;
  /** Starts a workflow over the row of a deploy under way; a no-op where one runs. */
  ensureKamalDeploy(deploy: { deployId: string; service: string; destination: string; version: string }): Promise<void>;
  /** Jobs whose workflow was closed by force or failure since then. */
  listAbortedApplyJobs(since: Date): Promise<string[]>;
  /** Jobs whose workflow runs; asks for the list only when there are more than that many. */
  listRunningApplyJobs(than: { moreThan: number }): Promise<string[]>;
  /** Workflows of ours, of any kind, whose task fails again and again, so that they hear nothing and do nothing; and what the server says of it. */
  listStuckWorkflows(): Promise<{ workflowId: string; problem: string }[]>;
  /** Is the workflow of this destination's deploys at work? */
  isKamalDeployRunning(destination: { service: string; destination: string }): Promise<boolean>;
}

/** Reads a GH host; it never commands one. */
export interface HostReader {
  readWorkerPort(host: string): Promise<WorkerPortAnswer>;
  readApi(host: string): Promise<{ isUp: boolean; imageTag: string | null }>;
}

/** What a deploy wants to know besides. */
export interface DeployHostReader extends HostReader {
  readApiHealth(host: string): Promise<{ isWell: boolean; says: string } | null>;
}

export interface HostClient extends HostReader {
  /** GH's own cancel over HTTP: `isTaken` when it says that it will. */
  askToCancel(host: string, attemptId: string): Promise<{ isTaken: boolean; detail: string }>;
}

/** `refused`: the machine is there and nothing listens; `silent`: no usable answer, which proves nothing. */
export type WorkerPortAnswer = { kind: 'answers'; status: WorkerStatus } | { kind: 'refused' } | { kind: 'silent'; problem: string };
