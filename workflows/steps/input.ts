import { ApplicationFailure } from '@temporalio/workflow';
import { failureTypes } from '../../src/contracts/errors';
import { uuidPattern } from '../../src/contracts/ids';

/**
 * The CLI and the Web UI start workflows too, with whatever was typed. Without this a missing input would be a TypeError, which Temporal tries again for
 * ever, and every later start would join the run that hangs.
 */
export const mustNameJob = <Input extends { jobId: string }>(input: Input | undefined): Input => {
  if (typeof input?.jobId === 'string' && uuidPattern.test(input.jobId)) return input;
  throw invalidInput('The input has to name the job: {"jobId":"…"}, a UUID');
};

export const mustNameWorker = <Input extends { workerId: string }>(input: Input | undefined): Input => {
  if (typeof input?.workerId === 'string' && input.workerId !== '') return input;
  throw invalidInput('The input has to name the worker: {"workerId":"…"}');
};

/** "false" in quotes would be a yes. */
export const mustBeFlags = <Input extends object>(input: Input): Input => {
  for (const [name, flag] of Object.entries(input) as [string, unknown][])
    if (flag !== undefined && typeof flag !== 'boolean')
      throw invalidInput(`The input has to say true or false in ${name}, without quotes`);
  return input;
};

export const invalidInput = (message: string): ApplicationFailure => ApplicationFailure.nonRetryable(message, failureTypes.invalidInput);
