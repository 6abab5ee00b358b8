import type { DestinationSeen, DestinationWant, LookAtDestinationInput } from '../../contracts/messages';
import type { Looked } from '../deploys-client';
import type { GatewayDeps } from '../gateway-deps';
import { invalidField, Problem } from '../problem';

type Seen<Want extends DestinationWant> = Extract<DestinationSeen, { want: Want | 'unknown_destination' }>;
type LookDeps = Pick<GatewayDeps, 'deploys' | 'limits'>;

/** Asks the deployer, which alone sees Kamal's configuration, the hosts and the registry. Nothing of it changes anything. */
export const lookAt = async <Want extends DestinationWant>(
  { deploys, limits }: LookDeps,
  input: LookAtDestinationInput & { want: Want },
): Promise<Seen<Want>> => {
  const seen = orProblem(await deploys.look(input, input.want === 'version' ? limits.lookAtVersionMs : limits.lookAtHostsMs));
  if (!isAnswerTo(seen, input.want)) throw new Error(`asked for the ${input.want} of a destination, the deployer told its ${seen.want}`);
  return seen;
};

const isAnswerTo = <Want extends DestinationWant>(seen: DestinationSeen, want: Want): seen is Seen<Want> =>
  seen.want === want || seen.want === 'unknown_destination';

/** What was seen, or why nobody saw anything: nothing was started then. */
export const orProblem = <Result>(looked: Looked<Result>): Result => {
  switch (looked.kind) {
    case 'seen':
      return looked.seen;
    case 'no_answer':
      throw new Problem('no_deployer', 'The deployer did not answer in time: is it running? Nothing was started.', { headers: retrySoon });
    case 'under_way':
      throw new Problem('command_under_way', 'Somebody does the same at this moment; look at what came of it before you repeat it');
    case 'refused':
      throw invalidField('destination', looked.message);
    case 'failed':
      throw new Problem('no_deployer', `The deployer could not look: ${looked.message}`, { headers: retrySoon });
    case 'unreachable':
      throw temporalIsAway();
  }
};

const retrySoon = { 'Retry-After': '5' };

export const temporalIsAway = (): Problem =>
  new Problem('unavailable', 'Temporal does not answer; nothing was started. Repeat the request in 5 s.', { headers: retrySoon });
