import type { ResolutionType } from '../../contracts/command';
import type { ResolutionData } from '../../contracts/resolution';
import { recordAct } from '../../db/audit';
import { endCommand, findCommand, openCommand, type Command } from '../../db/commands/commands';
import { findJob } from '../../db/jobs/jobs';
import { withTransaction } from '../../db/pool';
import { saveSecret, takeSecret } from '../../db/commands/secrets';
import { isTerminal } from '../../domain/job-state';
import { redacted, type Sensitive } from '../../domain/sensitive';
import { actorOf } from '../actor';
import type { GatewayDeps } from '../gateway-deps';
import { noSuchJob } from '../problem';
import type { RequestFacts } from '../request-facts';
import { awaitCommand } from './await-command';
import { auditEnd } from './cancel';
import { noSecretsKey, underWay } from './refusals';

export interface Resume {
  jobId: string;
  resolutionType: ResolutionType;
  data: Sensitive<ResolutionData> | null;
  note: string | null;
  waitMs: number;
}

/** The secret is sealed in the transaction that writes the command, so that neither is there without the other. */
export const resumeJob = async (deps: GatewayDeps, resume: Resume, facts: RequestFacts): Promise<Command> => {
  const { jobId, resolutionType, data } = resume;
  if (data !== null && deps.secrets === null) throw noSecretsKey();
  const by = actorOf(facts);
  const note = withoutSecret(resume.note, data);
  const command = await withTransaction(deps.pool, async (client) => {
    const job = await findJob(client, jobId);
    if (job === null) throw noSuchJob(jobId);
    const opened = await openCommand(client, { jobId, kind: 'resume', actor: by.actor, source: by.source, reason: note, resolutionType });
    if (opened === null) throw noSuchJob(jobId);
    const { commandId, generation } = opened.command;
    if (!opened.isNew) throw underWay(commandId);
    await recordAct(client, {
      ...by,
      act: 'resume',
      subjectKind: 'job',
      subject: jobId,
      detail: { commandId, generation, resolutionType, hasSecret: data !== null },
    });
    if (isTerminal(job.state)) {
      await refuse(client, commandId, `Nothing waits for a person: the job is ${job.state}`);
    } else if (data !== null && deps.secrets !== null) {
      const sealed = deps.secrets.seal(JSON.stringify(data.unredacted()));
      await saveSecret(client, { commandId, sealed, lifeMs: deps.limits.secretLifeMs });
    }
    return (await findCommand(client, commandId)) ?? opened.command;
  });
  if (command.endedAt !== null) return command;
  const { commandId } = command;
  const started = await deps.workflows.startResumeJob({
    jobId,
    resolutionType,
    actor: by.actor,
    source: by.source,
    ...(note === null ? {} : { note }),
  });
  if (started.kind === 'already_running') {
    await withTransaction(
      deps.pool,
      async (client) => await refuse(client, commandId, 'The last resume of this job is still being proven: repeat in a few seconds'),
    );
  } else if (started.kind === 'unreachable') {
    facts.log.warn('Temporal did not take the resume in time; it is accepted and the sweep starts it', { jobId, error: started.error });
  }
  return await auditEnd(deps, await awaitCommand(deps, commandId, started.kind === 'unreachable' ? 0 : resume.waitMs));
};

const refuse = async (client: Parameters<typeof endCommand>[0], commandId: string, detail: string): Promise<void> => {
  await takeSecret(client, commandId);
  await endCommand(client, { commandId, outcome: 'refused', detail });
};

/** People write "the code is 123456" into the note: it goes into rows and a history, where no secret belongs. */
const withoutSecret = (note: string | null, data: Sensitive<ResolutionData> | null): string | null => {
  if (note === null || data === null) return note;
  const given = data.unredacted();
  const secret = 'code' in given ? given.code : given.password;
  return note.replaceAll(secret, redacted);
};
