import { setTimeout as delay } from 'node:timers/promises';
import { findCommand, type Command } from '../../db/commands/commands';
import { findJob } from '../../db/jobs/jobs';
import { withTransaction } from '../../db/pool';
import { endPersonCommands } from '../../db/commands/person-commands';
import type { GatewayDeps } from '../gateway-deps';
import { noSuchCommand } from './refusals';

type AwaitDeps = Pick<GatewayDeps, 'pool' | 'limits' | 'metrics'>;

/** The command as its row says when it has an outcome, or when the time is over. */
export const awaitCommand = async (deps: AwaitDeps, commandId: string, waitMs: number): Promise<Command> => {
  const deadline = Date.now() + waitMs;
  for (;;) {
    const command = await readCommand(deps, commandId);
    if (command.outcome !== null || Date.now() >= deadline) return command;
    if (command.kind === 'retry' || command.kind === 'resolve') await settlePersonCommands(deps, command.jobId);
    await delay(Math.min(deps.limits.commandPollMs, Math.max(1, deadline - Date.now())));
  }
};

export const readCommand = async ({ pool }: Pick<AwaitDeps, 'pool'>, commandId: string): Promise<Command> => {
  const command = await findCommand(pool, commandId);
  if (command === null) throw noSuchCommand(commandId);
  return command;
};

/** A retry or a resolve has no workflow of its own. Its job's ends it with what it does; what that missed ends here, before the next one, or by the sweep. */
export const settlePersonCommands = async ({ pool, metrics }: AwaitDeps, jobId: string): Promise<void> => {
  const job = await findJob(pool, jobId);
  if (job === null || job.openMessages.length === 0) return;
  const ended = await withTransaction(pool, async (client) => await endPersonCommands(client, job));
  for (const { kind, route, outcome } of ended) metrics.observeCommand({ of: 'command', kind, route, outcome });
};
