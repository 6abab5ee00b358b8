import { constantFrom, property } from 'fast-check';
import { healthStatuses, judgeHealth, type Health, type HealthFacts } from '../../../src/domain/health';
import { findCounterexample } from './facts';

const both = { isApiUp: true, isWorkerUp: true };

test.each<[string, HealthFacts, Health, RegExp]>([
  ['both ports answer and a worker beats', { ports: both, registry: 'beating' }, 'healthy', /API and worker port/],
  ['only the API answers', { ports: { isApiUp: true, isWorkerUp: false }, registry: 'beating' }, 'degraded', /the worker port does not/],
  ['only the worker port answers', { ports: { isApiUp: false, isWorkerUp: true }, registry: 'beating' }, 'degraded', /the API does not/],
  ['no port answers', { ports: { isApiUp: false, isWorkerUp: false }, registry: 'beating' }, 'offline', /neither/],
  ['both ports answer, the registry has only silent workers', { ports: both, registry: 'silent' }, 'degraded', /beaten/],
  ['both ports answer, one of two workers is silent', { ports: both, registry: 'some' }, 'degraded', /some of its workers/],
  ['both ports answer, the registry says offline', { ports: both, registry: 'offline' }, 'offline', /registry/],
  ['both ports answer, nobody is registered', { ports: both, registry: 'none' }, 'degraded', /registered/],
  ['nobody asked the ports, a worker beats', { ports: null, registry: 'beating' }, 'degraded', /asked/],
  ['nobody asked the ports, the registry says offline', { ports: null, registry: 'offline' }, 'offline', /registry/],
  ['no port answers, the registry is silent', { ports: { isApiUp: false, isWorkerUp: false }, registry: 'silent' }, 'offline', /neither/],
])('%s', (_what, facts, health, reason) => {
  expect(judgeHealth(facts)).toEqual({ health, reason: expect.stringMatching(reason) });
});

test('is never better than ports or registry alone, and healthy only when both are', () => {
  const ports = constantFrom<HealthFacts['ports']>(
    null,
    both,
    { isApiUp: true, isWorkerUp: false },
    { isApiUp: false, isWorkerUp: true },
    { isApiUp: false, isWorkerUp: false },
  );
  const registry = constantFrom<HealthFacts['registry']>('beating', 'some', 'silent', 'offline', 'none');
  expect(
    findCounterexample(
      property(ports, registry, (seen, registered) => {
        const found = healthStatuses.indexOf(judgeHealth({ ports: seen, registry: registered }).health);
        const byPorts = healthStatuses.indexOf(judgeHealth({ ports: seen, registry: 'beating' }).health);
        const byRegistry = healthStatuses.indexOf(judgeHealth({ ports: both, registry: registered }).health);
        return found === Math.max(byPorts, byRegistry);
      }),
    ),
  ).toBeNull();
});
