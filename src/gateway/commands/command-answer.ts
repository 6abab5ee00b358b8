import { viewCommand, type Command } from '../../db/commands/commands';
import { outcomes } from '../../domain/command-outcome';
import type { Answer } from '../endpoint';
import { problemBody } from '../problem';

/** The public view with what its outcome means, in words. */
export const commandView = (command: Command): object => ({ ...viewCommand(command), words: wordsOf(command) });

const wordsOf = ({ outcome }: Command): string => (outcome === null ? 'Under way' : outcomes[outcome].words);

/** By the table of outcomes; a 409 is a problem with the command's own fields beside it (RFC 9457 §3.2). */
export const commandAnswer = (
  command: Command,
  {
    requestId,
    code = 'job_state_conflict',
    isStarted = true,
    leftWorker,
  }: { requestId: string; code?: 'job_state_conflict' | 'confirmation_needed'; isStarted?: boolean; leftWorker?: object | null },
): Answer => {
  const { commandId, outcome } = command;
  const status = outcome === null || !isStarted ? 202 : outcomes[outcome].httpStatus;
  const headers = { Location: `/v1/commands/${commandId}` };
  if (status < 400) {
    return { status, headers, body: { ...commandView(command), ...(leftWorker === undefined ? {} : { leftWorker }) } };
  }
  const message = command.detail === '' ? wordsOf(command) : command.detail;
  return {
    status,
    headers: { ...headers, 'Content-Type': 'application/problem+json' },
    body: {
      ...commandView(command),
      ...problemBody({ code, message }, { instance: `/v1/jobs/${command.jobId}/${command.kind}`, requestId }),
    },
  };
};
