import type { RequestHandler } from 'express';
import type { ResolutionData } from '../../contracts/resolution';
import { listCommands } from '../../db/commands/commands';
import { findJob } from '../../db/jobs/jobs';
import { sensitive } from '../../domain/sensitive';
import { readCommand } from '../commands/await-command';
import { cancelJob } from '../commands/cancel';
import { commandAnswer, commandView } from '../commands/command-answer';
import { resolveJob, retryJob } from '../commands/person-commands';
import { resumeJob } from '../commands/resume';
import { answer } from '../endpoint';
import { endpoints } from '../endpoints';
import type { GatewayDeps } from '../gateway-deps';
import { findLeftWorker } from '../left-workers';
import { noSuchJob } from '../problem';

type Names = 'cancelJob' | 'resumeJob' | 'retryJob' | 'resolveJob' | 'listCommands' | 'getCommand';

/** Commands to a job, and what came of them. */
export const createCommandRoutes = (deps: GatewayDeps): Record<Names, RequestHandler> => {
  const waitMsOf = ({ wait = deps.limits.commandWaitSecondsDefault }: { wait?: number }): number => wait * 1_000;

  return {
    cancelJob: answer(endpoints.cancelJob, async ({ params: { jobId }, query, body }, facts) => {
      const command = await cancelJob(deps, { jobId, reason: orNull(body.reason), waitMs: waitMsOf(query) }, facts);
      return commandAnswer(command, facts);
    }),

    resumeJob: answer(endpoints.resumeJob, async ({ params: { jobId }, query, body }, facts) => {
      const { resolutionType, note } = body;
      const data = resolutionDataOf(body);
      const resume = { jobId, resolutionType, note: orNull(note), data: data === null ? null : sensitive(data), waitMs: waitMsOf(query) };
      return commandAnswer(await resumeJob(deps, resume, facts), facts);
    }),

    retryJob: answer(endpoints.retryJob, async ({ params: { jobId }, query, body: { confirm } }, facts) => {
      const { command, isConfirmNeeded, isStarted } = await retryJob(deps, { jobId, confirm, waitMs: waitMsOf(query) }, facts);
      const code = isConfirmNeeded ? 'confirmation_needed' : 'job_state_conflict';
      return commandAnswer(command, {
        requestId: facts.requestId,
        code,
        isStarted,
        leftWorker: await findLeftWorker(deps.pool, deps, jobId),
      });
    }),

    resolveJob: answer(endpoints.resolveJob, async ({ params: { jobId }, query, body: { submitted, note } }, facts) => {
      const { command } = await resolveJob(deps, { jobId, submitted, note: orNull(note), waitMs: waitMsOf(query) }, facts);
      return commandAnswer(command, { requestId: facts.requestId, leftWorker: await findLeftWorker(deps.pool, deps, jobId) });
    }),

    listCommands: answer(endpoints.listCommands, async ({ params: { jobId } }) => {
      if ((await findJob(deps.pool, jobId)) === null) throw noSuchJob(jobId);
      const commands = await listCommands(deps.pool, { jobId, rows: deps.limits.pageRowsMax });
      return { status: 200, body: { commands: commands.map(commandView) } };
    }),

    getCommand: answer(endpoints.getCommand, async ({ params: { commandId } }) => ({
      status: 200,
      body: commandView(await readCommand(deps, commandId)),
    })),
  };
};

const orNull = (text: string | undefined): string | null => (text === undefined || text === '' ? null : text);

const resolutionDataOf = ({ code, username, password }: { code?: string; username?: string; password?: string }): ResolutionData | null => {
  if (code !== undefined) return { code };
  return username !== undefined && password !== undefined ? { username, password } : null;
};
