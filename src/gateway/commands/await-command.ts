import { setTimeout as delay } from 'node:timers/promises';
import { recordCommandEnd } from '../../db/audit';
import { findCommand, updateCommand, type Command } from '../../db/commands';
import { findJob } from '../../db/jobs';
import { withTransaction } from '../../db/pool';
import { judgePersonCommand } from '../../domain/person-command-outcome';
import type { GatewayDeps } from '../gateway-deps';
import { noSuchCommand } from './refusals';

type AwaitDeps = Pick<GatewayDeps, 'pool' | 'limits' | 'metrics'>;

/** The command as its row says when it has an outcome, or when the time is over. */
export const awaitCommand = async (deps: AwaitDeps, commandId: string, waitMs: number): Promise<Command> => {
  const deadline = Date.now() + waitMs;
  for (;;) {
    const command = await readCommand(deps, commandId);
    if (command.outcome !== null || Date.now() >= deadline) return command;
    await delay(Math.min(deps.limits.commandPollMs, Math.max(1, deadline - Date.now())));
  }
};

/** A retry or a resolve has no workflow of its own: who looks at it finds out what came of it, and writes that down. */
export const readCommand = async (deps: AwaitDeps, commandId: string): Promise<Command> => {
  const command = await findCommand(deps.pool, commandId);
  if (command === null) throw noSuchCommand(commandId);
  return await settlePersonCommand(deps, command);
};

export const settlePersonCommand = async ({ pool, metrics }: AwaitDeps, command: Command): Promise<Command> => {
  const { commandId, jobId, kind, generation } = command;
  if (command.endedAt !== null || (kind !== 'retry' && kind !== 'resolve')) return command;
  const job = await findJob(pool, jobId);
  const end = job === null ? null : judgePersonCommand({ kind, generation }, job);
  if (end === null) return command;
  const ended = await withTransaction(pool, async (client) => {
    const updated = await updateCommand(client, { commandId, ...end, isEnd: true });
    await recordCommandEnd(client, commandId);
    return updated;
  });
  if (ended !== null) metrics.observeCommand({ of: 'command', kind: ended.kind, route: ended.route, outcome: ended.outcome });
  return (await findCommand(pool, commandId)) ?? command;
};
