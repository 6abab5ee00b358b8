import type { SweepItem } from '../../../src/contracts/sweep';
import { listNews } from '../../../src/domain/sweep-news';

const deaf: SweepItem = { finding: 'deaf_port', subject: 'worker-1', detail: 'ETIMEDOUT' };
const moved: SweepItem = { finding: 'sandbox_address_moved', subject: 'sandbox-1', detail: '10.0.0.1 → 10.0.0.2' };

test('an unchanged finding is told once, and again when its subject or what is said of it differs', () => {
  expect(listNews([deaf, moved], [])).toEqual([deaf, moved]);
  expect(listNews([deaf, moved], [moved, deaf])).toEqual([]);
  const changed = [
    { ...deaf, subject: 'worker-2' },
    { ...moved, detail: '10.0.0.1 → 10.0.0.3' },
  ];
  expect(listNews(changed, [deaf, moved])).toEqual(changed);
});

test('an age that grows makes no news', () => {
  const future = (age: number): SweepItem => ({
    finding: 'bad_registry_row',
    subject: 'worker-1',
    detail: `last_heartbeat: ${age} s in the future`,
  });
  expect(listNews([future(590)], [future(600)])).toEqual([]);
});

test('a repair is told each time, since it was done each time', () => {
  const repair: SweepItem = { finding: 'sandbox_repaired', subject: 'sandbox-1', detail: '', before: 'healthy', after: 'degraded' };
  expect(listNews([repair], [repair])).toEqual([repair]);
});
