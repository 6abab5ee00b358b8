import { setTimeout as delay } from 'node:timers/promises';
import { expectThat, type Fault, type FaultContext, type FaultResult } from './fault';
import {
  age,
  ageDeadline,
  beforeForm,
  endSessionsOf,
  eventsOf,
  resolve,
  startJobAt,
  untilEvent,
  untilIdle,
  untilOffline,
  untilState,
  withFormOpen,
} from './fault-fixture';
import { untilRunElsewhere } from './run-elsewhere';

const killed: Fault = {
  name: 'kill -9',
  hosts: 1,
  async inject(context) {
    const [host] = context.hosts;
    return await runsElsewhereAfter(
      context,
      () => host!.kill(),
      async () => await host!.startWorker(),
    );
  },
};

const killedWithFormOpen: Fault = {
  name: 'kill -9, form open',
  hosts: 1,
  async inject({ fixture, hosts, staged }) {
    const [host] = hosts;
    const { jobId } = await startJobAt(fixture, host!, withFormOpen, { at: 'form_opened' });
    await staged();
    const at = Date.now();
    host!.kill();
    await untilState(fixture, jobId, 'uncertain');
    const recoveryMs = Date.now() - at;
    await resolve(fixture, jobId);
    await host!.startWorker();
    return {
      jobIds: [jobId],
      recoveryMs,
      broken: expectThat({ 'nobody tried it again': eventsOf(fixture, jobId, 'claimed').length === 1 }),
    };
  },
};

const hung: Fault = {
  name: 'hang',
  hosts: 1,
  async inject({ fixture, hosts, staged }) {
    const [host] = hosts;
    const { jobId } = await startJobAt(fixture, host!, beforeForm);
    await staged();
    host!.hang();
    const at = Date.now();
    // Five silent minutes, and then the rest of the attempt's time: its process is there, so nobody else may have the job.
    await age(fixture, host!.workerId, 6);
    await untilOffline(fixture, host!.workerId);
    const stayed = eventsOf(fixture, jobId, 'claimed').length === 1;
    await ageDeadline(fixture, jobId);
    await untilState(fixture, jobId, 'uncertain');
    const recoveryMs = Date.now() - at;
    // A person restarts the machine, and looks at the posting.
    await host!.restart();
    await resolve(fixture, jobId);
    return {
      jobIds: [jobId],
      recoveryMs,
      broken: expectThat({
        'it stayed where it was': stayed,
        'nobody tried it again': eventsOf(fixture, jobId, 'claimed').length === 1,
      }),
    };
  },
};

const parted: Fault = {
  name: 'partition for good',
  hosts: 1,
  async inject({ fixture, hosts, staged }) {
    const [host] = hosts;
    const { jobId } = await startJobAt(fixture, host!, beforeForm);
    await staged();
    host!.partition('both');
    const at = Date.now();
    await endSessionsOf(fixture, jobId);
    await age(fixture, host!.workerId, 6);
    await untilState(fixture, jobId, 'uncertain');
    const recoveryMs = Date.now() - at;
    await untilOffline(fixture, host!.workerId);
    const stayed = eventsOf(fixture, jobId, 'claimed').length === 1;
    // The way is there again: its process hears that it lost its session, and ends; the container starts the next one.
    host!.heal();
    await untilEvent(fixture, jobId, 'killed');
    await resolve(fixture, jobId);
    return {
      jobIds: [jobId],
      recoveryMs,
      broken: expectThat({ 'nobody tried it again': stayed && eventsOf(fixture, jobId, 'claimed').length === 1 }),
    };
  },
};

const partedAndHealed: Fault = {
  name: 'partition, healed after 15 s',
  hosts: 1,
  async inject({ fixture, hosts, staged }) {
    const [host] = hosts;
    await staged();
    const { jobId } = await startJobAt(fixture, host!, '/slow-start?startMs=10000&ms=300', { affinity: 'strict' });
    host!.partition('both');
    await delay(15_000);
    host!.heal();
    const at = Date.now();
    return await endsWhereItRan({ fixture, jobId, at });
  },
};

const replaced: Fault = {
  name: 'new id on the same IP',
  hosts: 1,
  async inject(context) {
    const [host] = context.hosts;
    const oldId = host!.workerId;
    const result = await runsElsewhereAfter(
      context,
      async () =>
        await host!.replace({
          workerId: `${host!.config.workerId}-${context.round + 2}`,
          instanceId: `i-new-${host!.ip}-${context.round}`,
        }),
      async () => await Promise.resolve(),
    );
    // Two minutes rather than five, since a newer worker beats from its address.
    await age(context.fixture, oldId, 3);
    await untilOffline(context.fixture, oldId);
    return result;
  },
};

const wrongClocks: Fault = {
  name: 'clock 10 min wrong',
  hosts: 2,
  async inject({ fixture, hosts, staged }) {
    const [late, early] = hosts;
    late!.setClock(-600_000);
    early!.setClock(600_000);
    const path = '/slow-start?startMs=20000&ms=300';
    await staged();
    const jobs = await Promise.all([late!, early!].map(async (host) => await startJobAt(fixture, host, path, { affinity: 'strict' })));
    const result = await Promise.all(jobs.map(async ({ jobId }) => await endsWhereItRan({ fixture, jobId, at: null })));
    late!.setClock(0);
    early!.setClock(0);
    return { jobIds: jobs.map(({ jobId }) => jobId), recoveryMs: null, broken: result.flatMap(({ broken }) => broken) };
  },
};

const rowDeleted: Fault = {
  name: 'registry row deleted',
  hosts: 1,
  async inject({ fixture, hosts, staged }) {
    const [host] = hosts;
    await staged();
    const { jobId } = await startJobAt(fixture, host!, '/slow-start?startMs=12000&ms=300', { affinity: 'strict' });
    await fixture.pool.query(`delete from gh_worker_registry where worker_id = $1`, [host!.workerId]);
    const result = await endsWhereItRan({ fixture, jobId, at: null });
    // It writes its row again only when it starts (ghosthands §2.3).
    const at = Date.now();
    await host!.restart();
    await untilIdle(fixture, host!);
    return { ...result, recoveryMs: Date.now() - at };
  },
};

/** One a round; the last words of each are what a hand or a bad migration writes. */
const edits = [
  `ec2_ip = 'unknown'`,
  `ec2_ip = '127.0.1.1'`,
  `last_heartbeat = now() + interval '1 h'`,
  `last_heartbeat = now() - interval '1 h'`,
  `status = 'draining'`,
  `ec2_ip = null, ec2_instance_id = 'i-"o''brien'`,
  `target_worker_id = 'somebody-else', current_job_id = null`,
  `ec2_ip = '<html>502 Bad Gateway</html>'`,
];

const rowEdited: Fault = {
  name: 'registry row edited',
  hosts: 1,
  async inject({ fixture, hosts, staged, round }) {
    const [host] = hosts;
    await staged();
    const { jobId } = await startJobAt(fixture, host!, '/slow-start?startMs=12000&ms=300', { affinity: 'strict' });
    await fixture.pool.query(`update gh_worker_registry set ${edits[round % edits.length]} where worker_id = $1`, [host!.workerId]);
    const result = await endsWhereItRan({ fixture, jobId, at: null });
    const at = Date.now();
    await fixture.pool.query(
      `update gh_worker_registry set ec2_ip = $2, ec2_instance_id = $3, target_worker_id = $1, status = 'active', last_heartbeat = now() where worker_id = $1`,
      [host!.workerId, host!.ip, host!.config.instanceId],
    );
    await untilIdle(fixture, host!);
    return { ...result, recoveryMs: Date.now() - at };
  },
};

const postgrestAway: Fault = {
  name: 'PostgREST outage',
  hosts: 1,
  async inject({ fixture, hosts, staged }) {
    const [host] = hosts;
    await staged();
    const { jobId } = await startJobAt(fixture, host!, '/slow-start?startMs=5000&ms=300');
    host!.breakPostgrest();
    // It applies, and its row says `running` for ever; its callback says what it did, which counts once the worker is idle.
    const { at } = await untilEvent(fixture, jobId, 'ended');
    await untilState(fixture, jobId, 'succeeded');
    const recoveryMs = Date.now() - Date.parse(at);
    host!.heal();
    return {
      jobIds: [jobId],
      recoveryMs,
      broken: expectThat({
        'nobody tried it again': eventsOf(fixture, jobId, 'claimed').length === 1,
        'it was submitted once': eventsOf(fixture, jobId, 'submitted').length === 1,
      }),
    };
  },
};

const twins: Fault = {
  name: 'twins',
  hosts: 1,
  async inject({ fixture, hosts, staged }) {
    const [host] = hosts;
    await staged();
    const { jobId } = await startJobAt(fixture, host!, '/slow-start?startMs=12000&ms=300', { affinity: 'strict' });
    await host!.twin();
    await delay(2_000);
    const at = Date.now();
    // Its shutdown gives the other one's row away, which works on (ghosthands §2.6).
    host!.endTwins('term');
    const result = await endsWhereItRan({ fixture, jobId, at });
    // That shutdown also wrote the living one off; it writes itself back within 30 s.
    await untilIdle(fixture, host!);
    return result;
  },
};

const rackSize = 50;

/** What it costs to find fifty deaths at once is in the figures of whatever happens beside it. */
export const rack: Fault = {
  name: '50 hosts dying at once',
  hosts: rackSize,
  async inject({ fixture, hosts, staged }) {
    const jobs = await Promise.all(
      hosts.map(async (host) => ({ host, ...(await startJobAt(fixture, host, beforeForm, { affinity: 'strict' })) })),
    );
    await staged();
    const at = Date.now();
    for (const { host } of jobs) host.kill({ api: true });
    await delay(5_000);
    await Promise.all(hosts.map(async (host) => await host.start()));
    const result = await Promise.all(jobs.map(async ({ jobId, seq }) => await untilRunElsewhere(fixture, { jobId, seq, injectedAt: at })));
    const recoveries = result.flatMap(({ recoveryMs }) => recoveryMs ?? []);
    return {
      jobIds: jobs.map(({ jobId }) => jobId),
      // Of the last one.
      recoveryMs: recoveries.length === 0 ? null : Math.max(...recoveries),
      isLeftToPerson: result.some(({ isLeftToPerson }) => isLeftToPerson),
      broken: result.flatMap(({ broken }) => broken),
    };
  },
};

/** Each on hosts of its own, so that a round injects them all at once. */
export const hostFaults: readonly Fault[] = [
  killed,
  killedWithFormOpen,
  hung,
  parted,
  partedAndHealed,
  replaced,
  wrongClocks,
  rowDeleted,
  rowEdited,
  postgrestAway,
  twins,
];

/** The process that has the job is proven gone, and the form was never open: another one runs it. */
const runsElsewhereAfter = async (
  { fixture, hosts, staged }: FaultContext,
  injectInto: () => unknown,
  repair: () => Promise<unknown>,
): Promise<FaultResult> => {
  const { jobId, seq } = await startJobAt(fixture, hosts[0]!, beforeForm);
  await staged();
  const injectedAt = Date.now();
  await injectInto();
  const result = await untilRunElsewhere(fixture, { jobId, seq, injectedAt });
  await repair();
  return result;
};

/** The process that has the job lives, whatever it looks like: the job ends there, in its first attempt. */
const endsWhereItRan = async ({
  fixture,
  jobId,
  at,
}: {
  fixture: FaultContext['fixture'];
  jobId: string;
  at: number | null;
}): Promise<FaultResult> => {
  const state = await untilState(fixture, jobId, ['succeeded', 'failed', 'uncertain', 'cancelled', 'expired']);
  const recoveryMs = at === null ? null : Date.now() - at;
  if (state === 'uncertain') await resolve(fixture, jobId);
  return {
    jobIds: [jobId],
    recoveryMs,
    broken: expectThat({
      [`it succeeded, rather than ${state}`]: state === 'succeeded',
      'nobody tried it again': eventsOf(fixture, jobId, 'claimed').length === 1,
      'it was submitted once': eventsOf(fixture, jobId, 'submitted').length === 1,
    }),
  };
};
