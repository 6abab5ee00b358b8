import { Problem } from '../problem';

export const noSuchCommand = (commandId: string): Problem => new Problem('command_not_found', `No command has the id ${commandId}`);

export const underWay = (commandId: string): Problem =>
  new Problem('command_under_way', `A resume of this job is under way: GET /v1/commands/${commandId} tells what comes of it`);

/** Nothing of what came is kept, so that it can simply be sent again. */
export const temporalIsAway = (): Problem =>
  new Problem('unavailable', 'Temporal did not take the word in time; look at the job, and repeat if it is unchanged', {
    headers: { 'Retry-After': '2' },
  });

export const noSecretsKey = (): Problem =>
  new Problem(
    'secrets_key_missing',
    'The gateway has no SECRETS_KEY: enter it at the page by hand, then resume with resolutionType manual',
  );
