import { resolutionTypes } from '../contracts/command';
import { defaultStrategy, deployKinds, deployNamePattern, versionPattern, type DeployStrategy } from '../contracts/deploy';
import { nameCharsMax } from '../contracts/ids';
import { destinationWants } from '../contracts/messages';
import { findStrategyProblem } from './deploy-strategy';
import {
  filledPersonText,
  flag,
  matching,
  name,
  oneOf,
  parseFields,
  personText,
  Unusable,
  uuid,
  wholeNumber,
  type FieldRule,
  type FieldRules,
  type Parsed,
  type Shape,
} from './field-rules';
import { cleanPersonText } from './person-text';

/**
 * What every start and every message of a workflow may say. The CLI and the Web UI send whatever was typed, and a statement that Postgres refuses would
 * be tried again for ever: nothing is used that did not come through here.
 */
const actor = personText;
const source = personText;
const reason = personText;
const note = personText;
/** As large as an `int` of Postgres. */
const intMax = 2 ** 31 - 1;
const generation = wholeNumber(1, intMax);
const workerId = name(nameCharsMax);
const destination = matching(deployNamePattern, 'the name of a destination: lower case letters, digits, - and _');

const strategy: FieldRule<Partial<DeployStrategy>> = (given) => {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return new Unusable('has to be one JSON object');
  const problem = findStrategyProblem({ ...defaultStrategy, ...given });
  return problem === null ? { ...given } : new Unusable(`cannot be used: ${cleanPersonText(problem)}`);
};

/** Proof of what became of a process, from a cancel or a recycle. */
const stopped: FieldRule<{ attemptId: string; proof: 'gone' | 'idle' }> = (given) =>
  parseFields(given, { needed: { attemptId: uuid, proof: oneOf(['gone', 'idle']) }, optional: {} }).input ??
  new Unusable('has to name attemptId and proof');

const by = { actor, source };

export const starts = {
  applyJob: { of: 'applyJob', needed: { jobId: uuid }, optional: {} },
  cancelJob: { of: 'cancelJob', needed: { jobId: uuid }, optional: { ...by, reason, commandId: uuid } },
  resumeJob: { of: 'resumeJob', needed: { jobId: uuid }, optional: { ...by, resolutionType: oneOf(resolutionTypes), note } },
  deliverCallbacks: { of: 'deliverCallbacks', needed: { jobId: uuid, generation }, optional: {} },
  workerCleanup: { of: 'workerCleanup', needed: {}, optional: { dryRun: flag, full: flag } },
  drainWorker: { of: 'drainWorker', needed: { workerId }, optional: { ...by, reason, deadlineMs: wholeNumber(0, intMax) } },
  recycleWorker: { of: 'recycleWorker', needed: { workerId }, optional: { ...by, reason, force: flag, attemptId: uuid } },
  kamalDeploy: {
    of: 'kamalDeploy',
    needed: { destination, version: matching(versionPattern, 'an image tag') },
    optional: { ...by, deployId: uuid, kind: oneOf(deployKinds), strategy, dryRun: flag, reason },
  },
  // A destination that nobody knows has an answer of its own, and so has a version.
  lookAtDestination: {
    of: 'lookAtDestination',
    needed: { destination: name(nameCharsMax), want: oneOf(destinationWants) },
    optional: { version: name(nameCharsMax) },
  },
  breakDeployLock: { of: 'breakDeployLock', needed: { destination, reason: filledPersonText }, optional: { actor } },
};

export const messageShapes = {
  wake: { of: 'wake', needed: {}, optional: { reason, examineOwner: flag, stopped, unreachableAttemptId: uuid } },
  cancel: { of: 'cancel', needed: {}, optional: { reason, actor } },
  resume: { of: 'resume', needed: {}, optional: { resolutionType: oneOf(resolutionTypes), note, actor } },
  // One that says nothing must not end a job.
  resolve: { of: 'resolve', needed: { submitted: flag }, optional: { note, actor, generation } },
  retry: { of: 'retry', needed: {}, optional: { confirm: flag, actor, generation } },
  toDeploy: { of: 'a message to a deploy', needed: { deployId: uuid }, optional: { reason, actor } },
};

/** A start is taken whole or refused: whoever typed it waits for the answer, which says what to change. */
export const parseStart = <Needed extends FieldRules, Optional extends FieldRules>(
  shape: Shape<Needed, Optional>,
  given: unknown,
): { input: Parsed<Needed, Optional> } | { refusal: string } => {
  const { input, problems, unknown } = parseFields(given, shape);
  const wrong = [...problems, ...unknown.map((field) => `${field} is no field of it`)];
  if (input !== null && wrong.length === 0) return { input };
  const fields = [...Object.keys(shape.needed), ...Object.keys(shape.optional)];
  return { refusal: `The input of ${shape.of} cannot be used: ${wrong.join('; ')}. Its fields are ${fields.join(', ')}.` };
};
