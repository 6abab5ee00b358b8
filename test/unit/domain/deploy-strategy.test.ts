import { assert, constantFrom, integer, oneof, property } from 'fast-check';
import { defaultStrategy } from '../../../src/contracts/deploy';
import { findStrategyProblem } from '../../../src/domain/deploy-strategy';
import { placeDeployBodySchema } from '../../../src/gateway/schemas/deploys';

test('the default is a strategy', () => {
  expect(findStrategyProblem(defaultStrategy)).toBeNull();
});

test.each<[field: string, value: unknown]>([
  ['canaryHosts', -1],
  ['batchHosts', 1.5],
  ['soakSeconds', '60'],
  ['drainSeconds', 10_000_000],
  ['approvalSeconds', Number.NaN],
  ['onDrainDeadline', 'kill'],
  ['onMixedFleet', 'keep'],
  ['needsApproval', 'yes'],
  ['canary', 1],
])('%s: %p is refused by name', (field, value) => {
  expect(findStrategyProblem({ ...defaultStrategy, [field]: value })).toContain(field);
});

test('a strategy may be typed by hand exactly when it may come over REST', () => {
  const names = constantFrom('canaryHosts', 'batchHosts', 'soakSeconds', 'drainSeconds', 'approvalSeconds');
  const edges = constantFrom(-1, 0, 1, 1_000, 1_001, 86_400, 86_401, 604_800, 604_801);
  assert(
    property(names, oneof(edges, integer()), (name, value) => {
      const asked = placeDeployBodySchema.safeParse({ destination: 'staging', version: 'v1', strategy: { [name]: value } });
      expect(findStrategyProblem({ ...defaultStrategy, [name]: value }) === null).toBe(asked.success);
    }),
    { numRuns: 500 },
  );
});
