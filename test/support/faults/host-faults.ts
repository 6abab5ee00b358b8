import { setTimeout as delay } from 'node:timers/promises';
import { expectThat, type Fault, type Play, type Played } from './fault';
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
} from './ground';
import { untilRunElsewhere } from './run-elsewhere';

const killed: Fault = {
  name: 'kill -9',
  hosts: 1,
  async play(play) {
    const [host] = play.hosts;
    return await runsElsewhereAfter(
      play,
      () => host!.kill(),
      async () => await host!.startWorker(),
    );
  },
};

const killedWithFormOpen: Fault = {
  name: 'kill -9, form open',
  hosts: 1,
  async play({ ground, hosts, staged }) {
    const [host] = hosts;
    const { jobId } = await startJobAt(ground, host!, withFormOpen, { at: 'form_opened' });
    await staged();
    const at = Date.now();
    host!.kill();
    await untilState(ground, jobId, 'uncertain');
    const recoveryMs = Date.now() - at;
    await resolve(ground, jobId);
    await host!.startWorker();
    return {
      jobIds: [jobId],
      recoveryMs,
      broken: expectThat({ 'nobody tried it again': eventsOf(ground, jobId, 'claimed').length === 1 }),
    };
  },
};

const hung: Fault = {
  name: 'hang',
  hosts: 1,
  async play({ ground, hosts, staged }) {
    const [host] = hosts;
    const { jobId } = await startJobAt(ground, host!, beforeForm);
    await staged();
    host!.hang();
    const at = Date.now();
    // Five silent minutes, and then the rest of the attempt's time: its process is there, so nobody else may have the job.
    await age(ground, host!.workerId, 6);
    await untilOffline(ground, host!.workerId);
    const stayed = eventsOf(ground, jobId, 'claimed').length === 1;
    await ageDeadline(ground, jobId);
    await untilState(ground, jobId, 'uncertain');
    const recoveryMs = Date.now() - at;
    // A person restarts the machine, and looks at the posting.
    await host!.restart();
    await resolve(ground, jobId);
    return {
      jobIds: [jobId],
      recoveryMs,
      broken: expectThat({
        'it stayed where it was': stayed,
        'nobody tried it again': eventsOf(ground, jobId, 'claimed').length === 1,
      }),
    };
  },
};

const parted: Fault = {
  name: 'partition for good',
  hosts: 1,
  async play({ ground, hosts, staged }) {
    const [host] = hosts;
    const { jobId } = await startJobAt(ground, host!, beforeForm);
    await staged();
    host!.partition('both');
    const at = Date.now();
    await endSessionsOf(ground, jobId);
    await age(ground, host!.workerId, 6);
    await untilState(ground, jobId, 'uncertain');
    const recoveryMs = Date.now() - at;
    await untilOffline(ground, host!.workerId);
    const stayed = eventsOf(ground, jobId, 'claimed').length === 1;
    // The way is there again: its process hears that it lost its session, and ends; the container starts the next one.
    host!.heal();
    await untilEvent(ground, jobId, 'killed');
    await resolve(ground, jobId);
    return {
      jobIds: [jobId],
      recoveryMs,
      broken: expectThat({ 'nobody tried it again': stayed && eventsOf(ground, jobId, 'claimed').length === 1 }),
    };
  },
};

const partedAndHealed: Fault = {
  name: 'partition, healed after 15 s',
  hosts: 1,
  async play({ ground, hosts, staged }) {
    const [host] = hosts;
    await staged();
    const { jobId } = await startJobAt(ground, host!, '/slow-start?startMs=10000&ms=300', { affinity: 'strict' });
    host!.partition('both');
    await delay(15_000);
    host!.heal();
    const at = Date.now();
    return await endsWhereItRan({ ground, jobId, at });
  },
};

const replaced: Fault = {
  name: 'new id on the same IP',
  hosts: 1,
  async play(play) {
    const [host] = play.hosts;
    const oldId = host!.workerId;
    const played = await runsElsewhereAfter(
      play,
      async () =>
        await host!.replace({ workerId: `${host!.config.workerId}-${play.round + 2}`, instanceId: `i-new-${host!.ip}-${play.round}` }),
      async () => await Promise.resolve(),
    );
    // Two minutes rather than five, since a newer worker beats from its address.
    await age(play.ground, oldId, 3);
    await untilOffline(play.ground, oldId);
    return played;
  },
};

const wrongClocks: Fault = {
  name: 'clock 10 min wrong',
  hosts: 2,
  async play({ ground, hosts, staged }) {
    const [late, early] = hosts;
    late!.setClock(-600_000);
    early!.setClock(600_000);
    const path = '/slow-start?startMs=20000&ms=300';
    await staged();
    const jobs = await Promise.all([late!, early!].map(async (host) => await startJobAt(ground, host, path, { affinity: 'strict' })));
    const played = await Promise.all(jobs.map(async ({ jobId }) => await endsWhereItRan({ ground, jobId, at: null })));
    late!.setClock(0);
    early!.setClock(0);
    return { jobIds: jobs.map(({ jobId }) => jobId), recoveryMs: null, broken: played.flatMap(({ broken }) => broken) };
  },
};

const rowDeleted: Fault = {
  name: 'registry row deleted',
  hosts: 1,
  async play({ ground, hosts, staged }) {
    const [host] = hosts;
    await staged();
    const { jobId } = await startJobAt(ground, host!, '/slow-start?startMs=12000&ms=300', { affinity: 'strict' });
    await ground.pool.query(`delete from gh_worker_registry where worker_id = $1`, [host!.workerId]);
    const played = await endsWhereItRan({ ground, jobId, at: null });
    // It writes its row again only when it starts (ghosthands §2.3).
    const at = Date.now();
    await host!.restart();
    await untilIdle(ground, host!);
    return { ...played, recoveryMs: Date.now() - at };
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
  async play({ ground, hosts, staged, round }) {
    const [host] = hosts;
    await staged();
    const { jobId } = await startJobAt(ground, host!, '/slow-start?startMs=12000&ms=300', { affinity: 'strict' });
    await ground.pool.query(`update gh_worker_registry set ${edits[round % edits.length]} where worker_id = $1`, [host!.workerId]);
    const played = await endsWhereItRan({ ground, jobId, at: null });
    const at = Date.now();
    await ground.pool.query(
      `update gh_worker_registry set ec2_ip = $2, ec2_instance_id = $3, target_worker_id = $1, status = 'active', last_heartbeat = now() where worker_id = $1`,
      [host!.workerId, host!.ip, host!.config.instanceId],
    );
    await untilIdle(ground, host!);
    return { ...played, recoveryMs: Date.now() - at };
  },
};

const postgrestAway: Fault = {
  name: 'PostgREST outage',
  hosts: 1,
  async play({ ground, hosts, staged }) {
    const [host] = hosts;
    await staged();
    const { jobId } = await startJobAt(ground, host!, '/slow-start?startMs=5000&ms=300');
    host!.breakPostgrest();
    // It applies, and nobody hears of it: the row says `running`, and the worker is idle.
    const { at } = await untilEvent(ground, jobId, 'ended');
    await untilState(ground, jobId, 'uncertain');
    const recoveryMs = Date.now() - Date.parse(at);
    host!.heal();
    await resolve(ground, jobId);
    return {
      jobIds: [jobId],
      recoveryMs,
      broken: expectThat({
        'nobody tried it again': eventsOf(ground, jobId, 'claimed').length === 1,
        'it was submitted once': eventsOf(ground, jobId, 'submitted').length === 1,
      }),
    };
  },
};

const twins: Fault = {
  name: 'twins',
  hosts: 1,
  async play({ ground, hosts, staged }) {
    const [host] = hosts;
    await staged();
    const { jobId } = await startJobAt(ground, host!, '/slow-start?startMs=12000&ms=300', { affinity: 'strict' });
    await host!.twin();
    await delay(2_000);
    const at = Date.now();
    // Its shutdown gives the other one's row away, which works on (ghosthands §2.6).
    host!.endTwins('term');
    const played = await endsWhereItRan({ ground, jobId, at });
    // That shutdown also wrote the living one off; it writes itself back within 30 s.
    await untilIdle(ground, host!);
    return played;
  },
};

const rackSize = 50;

/** What it costs to find fifty deaths at once is in the figures of whatever happens beside it. */
export const rack: Fault = {
  name: '50 hosts dying at once',
  hosts: rackSize,
  async play({ ground, hosts, staged }) {
    const jobs = await Promise.all(
      hosts.map(async (host) => ({ host, ...(await startJobAt(ground, host, beforeForm, { affinity: 'strict' })) })),
    );
    await staged();
    const at = Date.now();
    for (const { host } of jobs) host.kill({ api: true });
    await delay(5_000);
    await Promise.all(hosts.map(async (host) => await host.start()));
    const played = await Promise.all(jobs.map(async ({ jobId, seq }) => await untilRunElsewhere(ground, { jobId, seq, struckAt: at })));
    const recoveries = played.flatMap(({ recoveryMs }) => recoveryMs ?? []);
    return {
      jobIds: jobs.map(({ jobId }) => jobId),
      // Of the last one.
      recoveryMs: recoveries.length === 0 ? null : Math.max(...recoveries),
      isLeftToPerson: played.some(({ isLeftToPerson }) => isLeftToPerson),
      broken: played.flatMap(({ broken }) => broken),
    };
  },
};

/** Each on hosts of its own, so that a round plays them all at once. */
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
  { ground, hosts, staged }: Play,
  strike: () => unknown,
  mend: () => Promise<unknown>,
): Promise<Played> => {
  const { jobId, seq } = await startJobAt(ground, hosts[0]!, beforeForm);
  await staged();
  const struckAt = Date.now();
  await strike();
  const played = await untilRunElsewhere(ground, { jobId, seq, struckAt });
  await mend();
  return played;
};

/** The process that has the job lives, whatever it looks like: the job ends there, in its first attempt. */
const endsWhereItRan = async ({ ground, jobId, at }: { ground: Play['ground']; jobId: string; at: number | null }): Promise<Played> => {
  const state = await untilState(ground, jobId, ['succeeded', 'failed', 'uncertain', 'cancelled', 'expired']);
  const recoveryMs = at === null ? null : Date.now() - at;
  if (state === 'uncertain') await resolve(ground, jobId);
  return {
    jobIds: [jobId],
    recoveryMs,
    broken: expectThat({
      [`it succeeded, rather than ${state}`]: state === 'succeeded',
      'nobody tried it again': eventsOf(ground, jobId, 'claimed').length === 1,
      'it was submitted once': eventsOf(ground, jobId, 'submitted').length === 1,
    }),
  };
};
