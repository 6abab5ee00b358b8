import { assert, constantFrom, property } from 'fast-check';
import { makeUnreadable } from '../../../src/contracts/unreadable';
import { parseFields, type Shape } from '../../../src/domain/field-rules';
import { personTextCharsMax, personTextCutMark } from '../../../src/domain/person-text';
import { messageShapes, parseStart, starts } from '../../../src/domain/workflow-inputs';
import { shapes, typed as given } from '../../support/typed-by-people';

const jobId = 'a3bb189e-8bf9-4c4c-9d1e-1a2b3c4d5e6f';

/** As Postgres and JSON take it: every text is storable and short, every number a whole one that fits. */
const isStorable = (value: unknown): boolean => {
  if (typeof value === 'string') return !/\0|\p{Surrogate}/u.test(value) && value.length <= personTextCharsMax;
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 && value < 2 ** 31;
  if (typeof value === 'object' && value !== null) return Object.values(value).every(isStorable);
  return typeof value === 'boolean';
};

test.each(shapes.map((shape) => [shape.of, shape] as const))('whatever comes as %s, what is taken of it can be stored', (_of, shape) => {
  assert(
    property(given, (typed) => {
      const { input, problems, unknown } = parseFields(typed, shape);
      expect([input ?? {}, problems, unknown].every(isStorable)).toBe(true);
      // Either all that is needed, or why not.
      expect(Object.keys(shape.needed).every((name) => Object.hasOwn(input ?? {}, name)) || problems.length > 0).toBe(true);
      expect(input !== null || problems.length > 0).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('whatever starts a workflow is taken whole, or refused in a sentence that names the workflow and not the value', () => {
  assert(
    property(constantFrom(...Object.values<Shape>(starts)), given, (shape, typed) => {
      const parsed = parseStart(shape, typed);
      const sentence = 'refusal' in parsed ? parsed.refusal : `The input of ${shape.of} cannot be used: . Its fields are `;
      expect(sentence).toMatch(new RegExp(`^The input of ${shape.of} cannot be used: .*\\. Its fields are `, 's'));
      expect(isStorable('input' in parsed ? parsed.input : {})).toBe(true);
    }),
    { numRuns: 1_500 },
  );
  const secret = 'hunter2hunter2';
  for (const shape of Object.values<Shape>(starts)) {
    const names = [...Object.keys(shape.needed), ...Object.keys(shape.optional)];
    const parsed = parseStart(shape, Object.fromEntries(names.map((name) => [name, [secret]])));
    expect(JSON.stringify(parsed)).toMatch(/cannot be used/);
    expect(JSON.stringify(parsed)).not.toContain(secret);
  }
});

test.each<[keyof typeof starts, unknown, RegExp]>([
  ['applyJob', undefined, /jobId has to be a UUID/],
  ['applyJob', { jobId: 'abc' }, /jobId has to be a UUID/],
  ['applyJob', 'x', /it has to be one JSON object/],
  ['applyJob', makeUnreadable('its encoding "binary/mystery" cannot be read here'), /"binary\/mystery" cannot be read/],
  ['cancelJob', { jobId, reason: 42 }, /reason has to be a text/],
  ['cancelJob', { jobId, reasons: 'x' }, /reasons is no field of it\. Its fields are jobId, actor, source, reason/],
  ['deliverCallbacks', { jobId }, /generation has to be a whole number from 1/],
  ['deliverCallbacks', { jobId, generation: 1.5 }, /generation has to be a whole number/],
  ['drainWorker', { workerId: 'w', deadlineMs: 1.5 }, /deadlineMs has to be a whole number from 0 to 2147483647/],
  ['drainWorker', { workerId: 'w', deadlineMs: 'ten minutes' }, /deadlineMs has to be a whole number/],
  ['drainWorker', { workerId: 'w\0' }, /workerId has to be a text of 1 to 255 characters/],
  ['recycleWorker', { workerId: 'w', force: 'false' }, /force has to be true or false, without quotes/],
  ['workerCleanup', { dryRun: 'true' }, /dryRun has to be true or false/],
  ['kamalDeploy', { destination: 'staging', version: 'v1', deployId: 'tuesday' }, /deployId has to be a UUID/],
  ['kamalDeploy', { destination: 'staging', version: 'v1', dryRun: 'true' }, /dryRun has to be true or false/],
  ['kamalDeploy', { destination: 'staging', version: 'v1', dryrun: true }, /dryrun is no field of it/],
  ['kamalDeploy', { destination: 'staging', version: 'v 1' }, /version has to be an image tag/],
  [
    'kamalDeploy',
    { destination: 'staging', version: 'v1', strategy: { canaryHosts: 0.5 } },
    /strategy\.canaryHosts must be a whole number/,
  ],
  ['kamalDeploy', { destination: 'staging', version: 'v1', strategy: { toString: 1 } }, /strategy has no field toString/],
  ['kamalDeploy', { destination: 'staging', version: 'v1', strategy: 'all' }, /strategy has to be one JSON object/],
  ['breakDeployLock', { destination: 'staging', reason: ' ' }, /reason has to be a text that says something/],
  ['lookAtDestination', { destination: 'staging', want: 'everything' }, /want has to be one of state, audit, config, version/],
])('%s with %j says what to change', (workflow, typed, words) => {
  const shape: Shape = starts[workflow];
  expect(parseStart(shape, typed)).toEqual({ refusal: expect.stringMatching(words) });
});

test('a start keeps what it can use, in the spelling that ids are made of', () => {
  expect(parseStart(starts.cancelJob, { jobId: jobId.toUpperCase(), reason: 'closed\0', actor: '', source: null })).toEqual({
    input: { jobId, reason: expect.stringMatching(/^closed[^\0]?$/) },
  });
});

test('of a message the usable part is taken, and a part that is none is named', () => {
  const typed = { reason: 7, actor: 'zoe', examineOwner: true, stopped: { attemptId: jobId, proof: 'dead' }, more: 1 };
  expect(parseFields(typed, messageShapes.wake)).toEqual({
    input: { examineOwner: true },
    problems: ['reason has to be a text', 'stopped has to name attemptId and proof'],
    unknown: ['actor', 'more'],
  });
  expect(parseFields({ submitted: 'true', note: 'seen' }, messageShapes.resolve)).toMatchObject({ input: null });
});

test('a text of a person is cut at its stated length, and one of which nothing is left says nothing', () => {
  const parsed = parseFields({ reason: 'x'.repeat(1_500_000), actor: '\0 \u202e' }, messageShapes.cancel);
  expect(parsed.input).toEqual({ reason: expect.stringMatching(/^x+ \[cut\]$/) });
  expect(parsed.input?.reason?.length).toBe(personTextCharsMax);
  expect(parsed.input?.reason?.endsWith(personTextCutMark)).toBe(true);
});

test.each(shapes.map((shape) => [shape.of, shape] as const))(
  'P8: what %s takes over and what it says of it hold no secret',
  (_of, shape) => {
    const secret = 'password=hunter2hunter2 zoe@applicant.example';
    const names = [...Object.keys(shape.needed), ...Object.keys(shape.optional)];
    // Names that others make are taken as they are. Also as the name of a field, and within a strategy.
    const typed = {
      ...Object.fromEntries(names.map((field) => [field, ['workerId', 'destination', 'version'].includes(field) ? 'gh-1' : secret])),
      strategy: { [secret]: 1 },
      [secret]: 1,
    };
    // Anybody can send what looks like our mark of a payload that nobody can read.
    for (const sent of [typed, makeUnreadable(secret)]) expect(JSON.stringify(parseFields(sent, shape))).not.toMatch(/hunter2|zoe@/);
  },
);

test('of thousands of fields that mean nothing, a few are named', () => {
  const typed = Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`field${n}`, n]));
  expect(parseFields(typed, messageShapes.cancel).unknown).toHaveLength(5);
});
