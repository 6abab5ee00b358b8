import { locateWorkers } from '../../../src/domain/host-address';

const row = (workerId: string, address: string | null, instanceId: string | null) => ({ workerId, address, instanceId });

describe('a worker without a usable address', () => {
  test.each<[string, string | null]>([
    ['a word', 'unknown'],
    ['nothing', null],
    ['an error page', '<html>403 Forbidden</html>'],
    ['no text at all', ''],
  ])('that says %s is asked at the address of its instance in another row', (_what, address) => {
    const { workers, findings } = locateWorkers([row('old', '10.0.0.7', 'i-1'), row('new', address, 'i-1')], []);
    expect(workers.map(({ host }) => host)).toEqual(['10.0.0.7', '10.0.0.7']);
    expect(findings.map(({ finding, subject }) => `${finding} ${subject}`)).toEqual(['bad_registry_row new', 'address_by_instance new']);
  });

  test('is asked at the address of its sandbox, where no other row knows one', () => {
    const { workers } = locateWorkers([row('new', 'unknown', 'i-1')], [{ instanceId: 'i-1', address: '10.0.0.8' }]);
    expect(workers[0]?.host).toBe('10.0.0.8');
  });

  test.each<[string, string | null]>([
    ['unknown', 'unknown'],
    ['local', 'local'],
    ['empty', ''],
    ['missing', null],
  ])('is not asked anywhere when its instance id is %s, which many share', (_what, instanceId) => {
    const { workers } = locateWorkers([row('a', '10.0.0.7', instanceId), row('b', 'unknown', instanceId)], []);
    expect(workers[1]?.host).toBeNull();
  });

  test('is named with what it says, cut short', () => {
    const { findings } = locateWorkers([row('a', `<html>${'x'.repeat(10_000)}`, null)], []);
    expect(findings).toEqual([
      { finding: 'bad_registry_row', subject: 'a', detail: expect.stringMatching(/^ec2_ip: "<html>x+…" is no address$/) },
    ]);
    expect(findings[0]?.detail.length).toBeLessThan(100);
  });
});

test('a worker with an address keeps it, whatever its sandbox says', () => {
  const { workers, findings } = locateWorkers([row('a', '10.0.0.1', 'i-1')], [{ instanceId: 'i-1', address: '10.0.0.2' }]);
  expect(workers[0]?.host).toBe('10.0.0.1');
  expect(findings).toEqual([]);
});
