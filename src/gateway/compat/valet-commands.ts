import type { RequestHandler } from 'express';
import { resolutionOf } from '../../contracts/resolution';
import type { Command } from '../../db/commands/commands';
import { findJob } from '../../db/jobs/jobs';
import { outcomes } from '../../domain/command-outcome';
import { ghStatusOf, isTerminal } from '../../domain/job-state';
import { sensitive } from '../../domain/sensitive';
import { cancelJob } from '../commands/cancel';
import { retryJob } from '../commands/person-commands';
import { resumeJob } from '../commands/resume';
import { answer, type Answer } from '../endpoint';
import { endpoints } from '../endpoints';
import type { GatewayDeps } from '../gateway-deps';

/**
 * GH's commands as VALET's client knows them (valet §1.2): often without a body, always with a JSON answer, and never 409, which the client takes for
 * success. GH's own fields are there, what really came of it beside them.
 */
export const createValetCommandRoutes = (
  deps: GatewayDeps,
): Record<'cancelApplication' | 'retryApplication' | 'resumeApplication', RequestHandler> => {
  const waitMs = deps.limits.productCommandWaitMs;

  return {
    cancelApplication: answer(endpoints.cancelApplication, async ({ params: { jobId }, body: { reason } }, facts) => {
      const command = await cancelJob(deps, { jobId, reason: reason ?? null, waitMs }, facts);
      const job = await findJob(deps.pool, jobId);
      const cancelledAt = job?.state === 'cancelled' ? job.endedAt : null;
      return productAnswer(command, { id: jobId, status: ghStatusOf[command.jobState], cancelled_at: cancelledAt });
    }),

    retryApplication: answer(endpoints.retryApplication, async ({ params: { jobId }, body: { confirm } }, facts) => {
      // Whoever repeats a retry that worked finds the job alive in its next generation: that is what was asked for.
      const job = await findJob(deps.pool, jobId);
      if (job !== null && job.generation > 1 && !isTerminal(job.state) && job.state !== 'uncertain') {
        return { status: 200, body: { id: jobId, status: ghStatusOf[job.state], message: 'It is being tried again already' } };
      }
      const { command, isStarted } = await retryJob(deps, { jobId, confirm, waitMs }, facts);
      const state = command.outcome === 'reopened' ? 'accepted' : command.jobState;
      return productAnswer(command, { id: jobId, status: ghStatusOf[state] }, isStarted);
    }),

    resumeApplication: answer(endpoints.resumeApplication, async ({ params: { jobId }, body }, facts) => {
      const { resolutionType, data } = resolutionOf(body);
      const note = body.resolution_notes ?? body.notes ?? null;
      const command = await resumeJob(deps, { jobId, resolutionType, data: data === null ? null : sensitive(data), note, waitMs }, facts);
      return productAnswer(command, {
        job_id: jobId,
        status: command.outcome === 'resumed' ? 'running' : ghStatusOf[command.jobState],
        resolved_by: body.resolved_by,
        resolution_type: resolutionType,
      });
    }),
  };
};

/** GH's fields first, then the facts; a refusal has GH's word for an error. */
const productAnswer = (command: Command, fields: object, isStarted = true): Answer => {
  const { commandId, outcome, detail, route, jobState } = command;
  const status = outcome === null || !isStarted ? 202 : outcomes[outcome].productStatus;
  const words = outcome === null ? 'Under way' : outcomes[outcome].words;
  // Some details say the outcome themselves.
  const message = detail.startsWith(words) ? detail : detail === '' ? words : `${words}: ${detail}`;
  const facts = {
    command_id: commandId,
    outcome,
    message,
    job_state: jobState,
    route: route?.route ?? null,
    route_reason: route?.reason ?? null,
  };
  return { status, body: status < 400 ? { ...fields, ...facts } : { error: 'invalid_state', ...fields, ...facts } };
};
