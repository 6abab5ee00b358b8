import type { SweepItem } from '../../../src/contracts/sweep';
import { listNewFindings } from '../../../src/domain/new-findings';

const deaf: SweepItem = { finding: 'deaf_port', subject: 'worker-1', detail: 'ETIMEDOUT' };
const moved: SweepItem = { finding: 'sandbox_address_moved', subject: 'sandbox-1', detail: '10.0.0.1 → 10.0.0.2' };

test('an unchanged finding is reported once, and again when its subject or its detail differs', () => {
  expect(listNewFindings([deaf, moved], [])).toEqual([deaf, moved]);
  expect(listNewFindings([deaf, moved], [moved, deaf])).toEqual([]);
  const changed = [
    { ...deaf, subject: 'worker-2' },
    { ...moved, detail: '10.0.0.1 → 10.0.0.3' },
  ];
  expect(listNewFindings(changed, [deaf, moved])).toEqual(changed);
});

test('an age that grows is no new finding', () => {
  const future = (age: number): SweepItem => ({
    finding: 'bad_registry_row',
    subject: 'worker-1',
    detail: `last_heartbeat: ${age} s in the future`,
  });
  expect(listNewFindings([future(590)], [future(600)])).toEqual([]);
});

test('a repair is reported each time, since it was done each time', () => {
  const repair: SweepItem = { finding: 'sandbox_repaired', subject: 'sandbox-1', detail: '', before: 'healthy', after: 'degraded' };
  expect(listNewFindings([repair], [repair])).toEqual([repair]);
});
