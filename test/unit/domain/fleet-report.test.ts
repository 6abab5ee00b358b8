import { countWorkersByHealth, reportHosts } from '../../../src/domain/fleet-report';

const worker = (host: string, status: 'active' | 'offline' = 'active') => ({
  host,
  instanceId: null,
  status,
  isBeating: status === 'active',
});
const up = (host: string) => ({ host, isFresh: true, isApiUp: true, isWorkerUp: true });

describe('workers by health', () => {
  it.each<[string, ReturnType<typeof worker>[], object]>([
    ['counts each worker of a healthy host', [worker('10.0.0.1'), worker('10.0.0.1')], { healthy: 2, degraded: 0, offline: 0 }],
    [
      'leaves out the rows of processes whose place another has taken',
      [worker('10.0.0.1'), worker('10.0.0.1', 'offline')],
      { healthy: 1, degraded: 0, offline: 0 },
    ],
    [
      'counts a host once that nobody works on any more, however many did',
      [worker('10.0.0.1', 'offline'), worker('10.0.0.1', 'offline')],
      { healthy: 0, degraded: 0, offline: 1 },
    ],
    ['knows no port of a worker without an address', [worker('unknown')], { healthy: 0, degraded: 1, offline: 0 }],
    ['counts no host without a worker', [], { healthy: 0, degraded: 0, offline: 0 }],
  ])('%s', (_what, workers, counts) => {
    expect(countWorkersByHealth(reportHosts({ workers, probes: [up('10.0.0.1')], holds: [] }))).toEqual(counts);
  });
});
