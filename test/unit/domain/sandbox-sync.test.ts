import type { SweepItem } from '../../../src/contracts/sweep';
import { syncSandboxes, type Sandbox, type SandboxHealth } from '../../../src/domain/sandbox-sync';

const sandbox: Sandbox = { sandboxId: 'sandbox-1', instanceId: 'i-1', address: '10.0.0.1', health: 'healthy' };
const worker = { workerId: 'worker-1', host: '10.0.0.1', instanceId: 'i-1', status: 'active', isBeating: true };
const probe = { host: '10.0.0.1', isFresh: true, isApiUp: true, isWorkerUp: true };

type Rows = Parameters<typeof syncSandboxes>[0];
const sync = (more: Partial<Rows>): ReturnType<typeof syncSandboxes> =>
  syncSandboxes({ sandboxes: [sandbox], workers: [worker], probes: [probe], ...more });

describe('the health of a sandbox', () => {
  test.each<[string, Partial<Rows>, SandboxHealth | null]>([
    ['stays when it is true', {}, null],
    ['is degraded when one port does not answer', { probes: [{ ...probe, isApiUp: false }] }, 'degraded'],
    ['is unhealthy when no port answers', { probes: [{ ...probe, isApiUp: false, isWorkerUp: false }] }, 'unhealthy'],
    ['is degraded when nobody asked its ports lately', { probes: [{ ...probe, isFresh: false }] }, 'degraded'],
    [
      'is unhealthy when no port answered, and nobody has asked since',
      { probes: [{ ...probe, isFresh: false, isApiUp: false, isWorkerUp: false }] },
      'unhealthy',
    ],
    ['is degraded when its only worker is silent', { workers: [{ ...worker, isBeating: false }] }, 'degraded'],
    [
      'is degraded when one of two workers is silent',
      { workers: [worker, { ...worker, workerId: 'worker-2', isBeating: false }] },
      'degraded',
    ],
    ['is unhealthy when all its workers are offline', { workers: [{ ...worker, status: 'offline', isBeating: false }] }, 'unhealthy'],
    [
      'is not spoilt by the offline row of a process before this one',
      { workers: [worker, { ...worker, workerId: 'worker-0', status: 'offline', isBeating: false }] },
      null,
    ],
    ['becomes healthy again', { sandboxes: [{ ...sandbox, health: 'unhealthy' }] }, 'healthy'],
    ['is found by the instance when the address has moved', { workers: [{ ...worker, host: '10.0.0.9' }] }, 'degraded'],
    ['is found by the address where the worker knows no instance', { workers: [{ ...worker, instanceId: 'unknown' }] }, null],
    [
      'is not taken from another instance that has its old address',
      {
        workers: [
          { ...worker, host: '10.0.0.9' },
          { ...worker, workerId: 'worker-2', instanceId: 'i-2', status: 'offline', isBeating: false },
        ],
        probes: [probe, { ...probe, host: '10.0.0.9' }],
      },
      null,
    ],
    ['is not touched when nobody knows anything about it', { workers: [] }, null],
  ])('%s', (_what, rows, health) => {
    expect(sync(rows).repairs).toEqual(health === null ? [] : [{ sandboxId: 'sandbox-1', health }]);
  });
});

test.each<[string, Partial<Rows>, Omit<SweepItem, 'detail'>[]]>([
  ['nothing where all is as it should be', {}, []],
  ['a sandbox without a worker', { workers: [] }, [{ finding: 'sandbox_without_worker', subject: 'sandbox-1' }]],
  [
    'an address that moved',
    { workers: [{ ...worker, host: '10.0.0.9' }], probes: [{ ...probe, host: '10.0.0.9' }] },
    [{ finding: 'sandbox_address_moved', subject: 'sandbox-1' }],
  ],
  [
    'a worker from an address that no sandbox has',
    { workers: [worker, { ...worker, workerId: 'worker-2', host: '10.0.0.2', instanceId: 'i-2' }] },
    [{ finding: 'worker_of_no_sandbox', subject: 'worker-2' }],
  ],
  [
    'no stranger that is offline',
    { workers: [worker, { ...worker, workerId: 'worker-2', host: '10.0.0.2', instanceId: 'i-2', status: 'offline', isBeating: false }] },
    [],
  ],
  ['no stranger where the product keeps no sandboxes for this fleet', { sandboxes: [] }, []],
])('reports %s', (_what, rows, findings) => {
  expect(sync(rows).findings.map(({ finding, subject }) => ({ finding, subject }))).toEqual(findings);
});
