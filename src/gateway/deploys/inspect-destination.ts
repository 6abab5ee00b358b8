import type { DestinationWant, LookAtDestinationInput, LookAtDestinationResult } from '../../contracts/messages';
import type { DeployerAnswer } from '../deploys-client';
import type { GatewayDeps } from '../gateway-deps';
import { invalidField, Problem } from '../problem';

type InspectionOf<Want extends DestinationWant> = Extract<LookAtDestinationResult, { want: Want | 'unknown_destination' }>;
type InspectDeps = Pick<GatewayDeps, 'deploys' | 'limits'>;

/** Asks the deployer, which alone sees Kamal's configuration, the hosts and the registry. Nothing of it changes anything. */
export const inspectDestination = async <Want extends DestinationWant>(
  { deploys, limits }: InspectDeps,
  input: LookAtDestinationInput & { want: Want },
): Promise<InspectionOf<Want>> => {
  const seen = orProblem(await deploys.inspect(input, input.want === 'version' ? limits.inspectVersionMs : limits.inspectHostsMs));
  if (!isAnswerTo(seen, input.want))
    throw new Error(`asked for the ${input.want} of a destination, the deployer answered with its ${seen.want}`);
  return seen;
};

const isAnswerTo = <Want extends DestinationWant>(seen: LookAtDestinationResult, want: Want): seen is InspectionOf<Want> =>
  seen.want === want || seen.want === 'unknown_destination';

/** What was seen, or why nobody saw anything: nothing was started then. */
export const orProblem = <Result>(reply: DeployerAnswer<Result>): Result => {
  switch (reply.kind) {
    case 'answered':
      return reply.answer;
    case 'no_answer':
      throw new Problem('no_deployer', 'The deployer did not answer in time: is it running? Nothing was started.', { headers: retrySoon });
    case 'under_way':
      throw new Problem('command_under_way', 'Somebody does the same at this moment; look at what came of it before you repeat it');
    case 'refused':
      throw invalidField('destination', reply.message);
    case 'failed':
      throw new Problem('no_deployer', `The deployer could not look: ${reply.message}`, { headers: retrySoon });
    case 'unreachable':
      throw temporalIsAway();
  }
};

const retrySoon = { 'Retry-After': '5' };

export const temporalIsAway = (): Problem =>
  new Problem('unavailable', 'Temporal does not answer; nothing was started. Repeat the request in 5 s.', { headers: retrySoon });
