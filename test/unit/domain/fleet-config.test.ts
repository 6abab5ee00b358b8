import * as fc from 'fast-check';
import type { ConfiguredServer } from '../../../src/contracts/fleet-config';
import { compareFleet, parseFleetConfig } from '../../../src/domain/fleet-config';

const parse = (value: unknown) => parseFleetConfig(typeof value === 'string' ? value : JSON.stringify(value), 'FLEET_CONFIG');
const server = (more: Partial<ConfiguredServer> = {}): ConfiguredServer => ({
  id: 'gh-1',
  role: 'ghosthands',
  ip: '10.0.0.1',
  ec2InstanceId: 'i-1',
  ...more,
});
const worker = { workerId: 'w-1', host: '10.0.0.1', instanceId: 'i-1', status: 'active' };

describe('a fleet file', () => {
  it('is an array, or an object with servers, as ATM reads it', () => {
    const entry = { id: 'gh-1', name: 'GH Worker 1', host: '/fleet/gh-1', ip: '10.0.0.1', role: 'ghosthands' };
    expect(parse([entry]).servers).toEqual([entry]);
    expect(parse({ _note: 'x', servers: [entry] })).toEqual({ servers: [entry], problems: [] });
  });

  it('names a machine in one spelling', () => {
    const { servers } = parse([
      { id: 'a', ip: '::FFFF:10.0.0.1', ec2InstanceId: 'I-0ABC' },
      { id: 'b', ip: null },
    ]);
    expect(servers).toMatchObject([
      { ip: '10.0.0.1', ec2InstanceId: 'i-0abc' },
      { id: 'b', ip: null },
    ]);
  });

  it.each([
    ['is not JSON', '{"servers": [', /^FLEET_CONFIG: is not JSON/],
    ['is no list', { hosts: [] }, /must be an array of servers, or an object with the field servers$/],
    ['is a number', '7', /must be an array/],
    ['has an entry without an id', [{ ip: '10.0.0.1' }], /entry 1: id: /],
    ['has an entry with a wrong address', [{ id: 'gh-1', ip: '10.0.0.999' }], /entry 1 \(gh-1\): ip: must be an IP address$/],
    ['has an entry of another role', [{ id: 'gh-1', role: 'boss' }], /entry 1 \(gh-1\): role: must be ghosthands, gh or atm$/],
    ['has an entry that is none', [null], /entry 1: the entry: /],
    ['names one twice', [{ id: 'a' }, { id: 'a' }], /entry 2 \(a\): id: is there already$/],
  ])('that %s is named with entry and field', (_what, value, problem) => {
    expect(parse(value).problems).toEqual([expect.stringMatching(problem)]);
  });

  it('keeps its right entries beside a wrong one', () => {
    const { servers, problems } = parse([{ id: 'a' }, { id: 'b', ip: 7 }, { id: 'c' }]);
    expect(servers.map(({ id }) => id)).toEqual(['a', 'c']);
    expect(problems).toHaveLength(1);
  });

  it('never throws, whatever it holds', () => {
    const reads = fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(parseFleetConfig(text, 'f').problems.every((problem) => problem.startsWith('f: '))).toBe(true);
    });
    expect(() => fc.assert(reads)).not.toThrow();
  });
});

describe('configuration and registry', () => {
  it.each<[string, ConfiguredServer[], object[], object[]]>([
    ['agree', [server()], [worker], []],
    ['are not compared without a configuration', [], [worker], []],
    ['are not compared where only we ourselves are configured', [server({ role: 'atm' })], [worker], []],
    [
      'differ by a host without a worker',
      [server()],
      [],
      [{ finding: 'configured_host_without_worker', subject: 'gh-1', detail: '10.0.0.1' }],
    ],
    [
      'differ by a host whose worker is offline',
      [server()],
      [{ ...worker, status: 'offline' }],
      [{ finding: 'configured_host_without_worker', subject: 'gh-1', detail: '10.0.0.1' }],
    ],
    [
      'differ by a moved address',
      [server()],
      [{ ...worker, host: '10.0.0.9' }],
      [{ finding: 'configured_address_moved', subject: 'gh-1', detail: '10.0.0.1 → 10.0.0.9' }],
    ],
    [
      'differ by a worker that is not configured',
      [server()],
      [worker, { ...worker, workerId: 'w-2', host: '10.0.0.2', instanceId: 'i-2' }],
      [{ finding: 'host_not_configured', subject: '10.0.0.2', detail: 'w-2' }],
    ],
    ['do not differ by an address that is none', [server()], [{ ...worker, host: 'unknown' }], []],
    ['match by address without an instance id', [server({ ec2InstanceId: null })], [worker], []],
    ['match by address where the worker could not read its instance', [server()], [{ ...worker, instanceId: 'unknown' }], []],
    ['match by address where the file does not know the instance', [server({ ec2InstanceId: 'unknown' })], [worker], []],
    [
      'do not match by the address of another instance',
      [server()],
      [{ ...worker, instanceId: 'i-9' }],
      [
        { finding: 'configured_host_without_worker', subject: 'gh-1', detail: '10.0.0.1' },
        { finding: 'host_not_configured', subject: '10.0.0.1', detail: 'w-1' },
      ],
    ],
  ])('%s', (_what, configured, workers, differences) => {
    expect(compareFleet(configured, workers as (typeof worker)[])).toEqual(differences);
  });
});
