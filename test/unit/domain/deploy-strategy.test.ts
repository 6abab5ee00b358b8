import { defaultStrategy } from '../../../src/contracts/deploy';
import { findStrategyProblem } from '../../../src/domain/deploy-strategy';

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
  ['needsApproval', 'yes'],
  ['canary', 1],
])('%s: %p is refused by name', (field, value) => {
  expect(findStrategyProblem({ ...defaultStrategy, [field]: value })).toContain(field);
});
