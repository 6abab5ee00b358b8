import { recordAct, recordCommandEnd } from '../../db/audit';
import { endCommand, findCommand, openCommand, type Command } from '../../db/commands/commands';
import { withTransaction } from '../../db/pool';
import { outcomes } from '../../domain/command-outcome';
import { actorOf } from '../actor';
import type { GatewayDeps } from '../gateway-deps';
import { noSuchJob } from '../problem';
import type { RequestFacts } from '../request-facts';
import { awaitCommand } from './await-command';

/** The row first, which marks the job as well; then the workflow. An ended job needs none. */
export const cancelJob = async (
  deps: GatewayDeps,
  { jobId, reason, waitMs }: { jobId: string; reason: string | null; waitMs: number },
  facts: RequestFacts,
): Promise<Command> => {
  const by = actorOf(facts);
  const { actor, source } = by;
  const command = await withTransaction(deps.pool, async (client) => {
    const opened = await openCommand(client, { jobId, kind: 'cancel', actor, source, reason });
    if (opened === null) throw noSuchJob(jobId);
    const { commandId, generation, wasEndedBefore, jobState } = opened.command;
    await recordAct(client, { ...by, act: 'cancel', subjectKind: 'job', subject: jobId, detail: { commandId, generation } });
    if (!wasEndedBefore || opened.command.endedAt !== null) return opened.command;
    const detail = `${outcomes.already_finished.words}: it is ${jobState}`;
    await endCommand(client, { commandId, outcome: 'already_finished', detail });
    return (await findCommand(client, commandId)) ?? opened.command;
  });
  if (command.endedAt !== null) return command;
  const started = await deps.workflows.startCancelJob({ jobId, actor, source, ...(reason === null ? {} : { reason }) });
  if (started.kind === 'unreachable') {
    facts.log.warn('Temporal did not take the cancel in time; it is accepted and the sweep starts it', { jobId, error: started.error });
  }
  return await auditEnd(deps, await awaitCommand(deps, command.commandId, started.kind === 'unreachable' ? 0 : waitMs));
};

/** What its workflow ended has its line in the audit from there, or from whoever sees it first. */
export const auditEnd = async ({ pool }: Pick<GatewayDeps, 'pool'>, command: Command): Promise<Command> => {
  if (command.endedAt !== null) await withTransaction(pool, async (client) => await recordCommandEnd(client, command.commandId));
  return command;
};
