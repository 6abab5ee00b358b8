import * as fc from 'fast-check';
import { limits } from '../../../src/contracts/limits';
import type { SweepFinding } from '../../../src/contracts/sweep';
import { sweepRegistry, type OfflineRepair, type PortFacts, type WorkerRow } from '../../../src/domain/registry-sweep';

const minuteMs = 60_000;
const worker: WorkerRow = {
  workerId: 'worker-1',
  status: 'active',
  host: '10.0.0.1',
  address: '10.0.0.1',
  heartbeatAgeMs: 10_000,
  registeredAgeMs: 600 * minuteMs,
  beat: '2026-01-01 00:00:00.123456+00',
  endedJob: null,
};
const port: PortFacts = { host: '10.0.0.1', kind: 'answers', workerId: 'worker-1', activeJobs: 0, problem: null };
const silentPort: PortFacts = { host: '10.0.0.1', kind: 'silent', workerId: null, activeJobs: null, problem: 'ETIMEDOUT' };
const refusedPort: PortFacts = { ...silentPort, kind: 'refused', problem: 'refused' };

const sweep = (workers: WorkerRow[], ports: PortFacts[]) => sweepRegistry({ workers, ports }, limits);

describe('a worker', () => {
  test.each<[string, Partial<WorkerRow>, PortFacts[], OfflineRepair['reason'] | null]>([
    ['that has been silent for more than five minutes is offline', { heartbeatAgeMs: 5 * minuteMs + 1 }, [silentPort], 'silent'],
    [
      'that drains and has been silent for as long is offline',
      { status: 'draining', heartbeatAgeMs: 6 * minuteMs },
      [refusedPort],
      'silent',
    ],
    ['that nobody can ask is offline', { host: null, address: 'unknown', heartbeatAgeMs: 6 * minuteMs }, [], 'silent'],
    [
      'whose address answers for another worker now is offline',
      { heartbeatAgeMs: 6 * minuteMs },
      [{ ...port, workerId: 'another' }],
      'silent',
    ],
    ['that has been silent for four minutes stays', { heartbeatAgeMs: 4 * minuteMs }, [silentPort], null],
    ['that is silent and answers stays: it lost the database, or its clock is wrong', { heartbeatAgeMs: 60 * minuteMs }, [port], null],
    [
      'that answers at another address than its own stays',
      { heartbeatAgeMs: 60 * minuteMs },
      [{ ...port, host: '10.0.0.9' }, silentPort],
      null,
    ],
    ['that is offline already is left alone', { status: 'offline', heartbeatAgeMs: 6 * minuteMs }, [], null],
    ['with a heartbeat from the future is left alone', { heartbeatAgeMs: -10 * minuteMs }, [silentPort], null],
    ['without a heartbeat is left alone', { heartbeatAgeMs: null, beat: null }, [silentPort], null],
    ['with a status that is no word of GH is left alone', { status: 'zombie', heartbeatAgeMs: 6 * minuteMs }, [], null],
  ])('%s', (_what, more, ports, reason) => {
    const { offline } = sweep([{ ...worker, ...more }], ports);
    expect(offline.map((repair) => repair.reason)).toEqual(reason === null ? [] : [reason]);
  });

  test.each<[string, Partial<WorkerRow>, Partial<WorkerRow>, boolean]>([
    ['is offline after two minutes when a newer one beats from its address', {}, {}, true],
    ['is not offline after one minute', { heartbeatAgeMs: minuteMs }, {}, false],
    ['is not replaced by an older one', {}, { registeredAgeMs: 700 * minuteMs }, false],
    ['is not replaced by one that does not beat', {}, { heartbeatAgeMs: 2 * minuteMs }, false],
    ['is not replaced by one that drains', {}, { status: 'draining' }, false],
    ['is not replaced by one elsewhere', {}, { host: '10.0.0.2', address: '10.0.0.2' }, false],
    ['is not replaced by one that only shares its instance', { address: 'unknown' }, {}, false],
  ])('%s', (_what, old, newer, isReplaced) => {
    const { offline } = sweep(
      [
        { ...worker, heartbeatAgeMs: 3 * minuteMs, ...old },
        { ...worker, workerId: 'newer', registeredAgeMs: 3 * minuteMs, ...newer },
      ],
      [silentPort],
    );
    expect(offline.map(({ workerId, reason }) => `${workerId} ${reason}`)).toEqual(isReplaced ? ['worker-1 replaced'] : []);
  });
});

describe('a person is told of', () => {
  test.each<[string, Partial<WorkerRow>, PortFacts[], SweepFinding[]]>([
    ['nothing when all is well', {}, [port], []],
    ['a host that refuses', { heartbeatAgeMs: 4 * minuteMs }, [refusedPort], ['worker_port_down']],
    ['a worker that beats while its port is silent', {}, [silentPort], ['worker_port_down', 'deaf_port']],
    ['a worker that died a moment ago, without an alarm', {}, [refusedPort], ['worker_port_down']],
    ['twins', {}, [port, { ...port, host: '10.0.0.2' }], ['twin_workers']],
    [
      'the twin that is left, at another address than its row names',
      {},
      [refusedPort, { ...port, host: '10.0.0.2' }],
      ['worker_port_down', 'dead_address'],
    ],
    [
      'the same where its address is a stranger’s by now',
      {},
      [
        { ...port, workerId: 'worker-9' },
        { ...port, host: '10.0.0.2' },
      ],
      ['dead_address'],
    ],
    ['nothing of an address that is taken by the next process under another id', {}, [{ ...port, workerId: 'worker-9' }], []],
    [
      'a worker that is busy with a job that has ended',
      { endedJob: { jobId: 'job-1', ageMs: 5 * minuteMs } },
      [{ ...port, activeJobs: 1 }],
      ['busy_with_ended_job'],
    ],
    ['nothing while it closes its browser', { endedJob: { jobId: 'job-1', ageMs: 10_000 } }, [{ ...port, activeJobs: 1 }], []],
    ['nothing when its row still names the job and it is idle', { endedJob: { jobId: 'job-1', ageMs: 5 * minuteMs } }, [port], []],
    ['a heartbeat from the future', { heartbeatAgeMs: -600_000 }, [port], ['bad_registry_row']],
    ['a missing heartbeat', { heartbeatAgeMs: null }, [port], ['bad_registry_row']],
    ['a missing start', { registeredAgeMs: null }, [port], ['bad_registry_row']],
    ['a status that is no word of GH', { status: 'zombie' }, [port], ['bad_registry_row']],
  ])('%s', (_what, more, ports, names) => {
    expect(sweep([{ ...worker, ...more }], ports).findings.map(({ finding }) => finding)).toEqual(names);
  });

  test('which worker to restart, and where it is', () => {
    expect(sweep([worker], [silentPort, { ...port, host: '10.0.0.2' }]).findings).toContainEqual({
      finding: 'dead_address',
      subject: 'worker-1',
      detail: 'Restart worker-1, so that it registers its own address: its row names 10.0.0.1, and it is at 10.0.0.2',
    });
  });

  test('row and field of what cannot be', () => {
    expect(sweep([{ ...worker, heartbeatAgeMs: -600_000 }], [port]).findings).toEqual([
      { finding: 'bad_registry_row', subject: 'worker-1', detail: 'last_heartbeat: 600 s in the future' },
    ]);
  });
});

test('no row makes it fail, and none is marked offline whose port answers', () => {
  const age = fc.option(fc.double());
  const text = fc.option(fc.string());
  const row = fc.record<WorkerRow>({
    workerId: fc.constantFrom('a', 'b', "o'c", ''),
    status: fc.oneof(fc.constantFrom('active', 'draining', 'offline'), fc.string()),
    host: text,
    address: text,
    heartbeatAgeMs: age,
    registeredAgeMs: age,
    beat: text,
    endedJob: fc.option(fc.record({ jobId: fc.constant('job-1'), ageMs: fc.double() })),
  });
  const seenPort = fc.record<PortFacts>({
    host: fc.string(),
    kind: fc.constantFrom('answers', 'refused', 'silent'),
    workerId: fc.option(fc.constantFrom('a', 'b', "o'c", '')),
    activeJobs: fc.option(fc.integer()),
    problem: text,
  });
  const check = (): void =>
    fc.assert(
      fc.property(fc.array(row), fc.array(seenPort), (workers, ports) => {
        const answering = new Set(ports.flatMap(({ kind, workerId }) => (kind === 'answers' ? (workerId ?? []) : [])));
        const { offline } = sweep(workers, ports);
        return offline.every(({ workerId, status }) => !answering.has(workerId) && (status === 'active' || status === 'draining'));
      }),
    );
  expect(check).not.toThrow();
});
