import { countWorkersByHealth, reportHosts } from '../../../src/domain/fleet-report';

const worker = (host: string, status: 'active' | 'offline' = 'active') => ({
  host,
  instanceId: null,
  status,
  isBeating: status === 'active',
});
const up = (host: string) => ({ host, isFresh: true, isApiUp: true, isWorkerUp: true, hasAttempt: false });
const old = { ...up('10.0.0.1'), isFresh: false };
const report = (more: Partial<Parameters<typeof reportHosts>[0]>) =>
  reportHosts({ workers: [], probes: [], holds: [], configured: [], ...more });

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
    ['takes one without an address for offline, since nobody can reach it', [worker('unknown')], { healthy: 0, degraded: 0, offline: 1 }],
    ['counts no host without a worker', [], { healthy: 0, degraded: 0, offline: 0 }],
  ])('%s', (_what, workers, counts) => {
    expect(countWorkersByHealth(report({ workers, probes: [up('10.0.0.1')] }))).toEqual(counts);
  });
});

describe('a host', () => {
  it('that was last seen offline does not get better by ageing, and another one is not known any more', () => {
    const healthOf = (probe: typeof old) => report({ workers: [worker('10.0.0.1')], probes: [probe] }).hosts[0]?.health;
    expect(healthOf({ ...old, isApiUp: false, isWorkerUp: false })).toBe('offline');
    expect(healthOf({ ...old, isApiUp: false })).toBe('degraded');
    expect(healthOf(old)).toBe('degraded');
  });

  it.each<[string, Parameters<typeof report>[0], boolean]>([
    ['that nobody registered or configured is left out, however fresh its probe', { probes: [up('10.0.0.1')] }, false],
    ['that is configured is there', { probes: [old], configured: ['10.0.0.1'] }, true],
    ['that is held is there', { probes: [old], holds: [{ host: '10.0.0.1' }] }, true],
    ['that has a live attempt is there', { probes: [{ ...old, hasAttempt: true }] }, true],
    ['that is registered is there before anybody asked it', { workers: [worker('10.0.0.1')] }, true],
  ])('%s', (_what, rows, isThere) => {
    expect(report(rows).hosts.map(({ host }) => host)).toEqual(isThere ? ['10.0.0.1'] : []);
  });
});
