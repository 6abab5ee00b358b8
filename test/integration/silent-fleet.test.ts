import { limits } from '../../src/contracts/limits';
import { withDatabase } from '../support/database';
import { addAttempt, addWaitingJob, addWorker, addWorkers, emptyTables } from '../support/fleet-rows';
import { sweepOnce, type PassOutcome } from '../support/sweep-pass';

/** Hosts that say nothing, each for as long as a question may take; their clocks go a hundred times as fast as in life. */
const database = withDatabase();
beforeEach(async () => await emptyTables(database.pool));

const answersAfterMs = limits.probeTimeoutMs / 100;
const query = async (text: string): Promise<Record<string, unknown>[]> => (await database.pool.query<Record<string, unknown>>(text)).rows;

const addSilentHosts = async (count: number): Promise<Record<string, 'silent'>> => {
  await addWorkers(database.pool, count);
  await query(
    `update gh_worker_registry set ec2_ip = '10.' || (substr(worker_id, 8)::int / 250) || '.1.' || (substr(worker_id, 8)::int % 250)`,
  );
  await query('delete from yardmaster.host_probe');
  return Object.fromEntries((await query('select ec2_ip from gh_worker_registry')).map(({ ec2_ip: host }) => [String(host), 'silent']));
};

/** At most `probesAtOnce` × (`probingMs` / `answersAfterMs` + 1) questions: 300. */
const narrow = { probesAtOnce: 50, probingMs: 5 * answersAfterMs };
const askedMax = 300;
const pass = async (ports: Record<string, 'silent'>): Promise<PassOutcome> =>
  await sweepOnce(database.pool, { full: false, ports, answersAfterMs, limits: narrow });

test('a fleet of 1,500 silent hosts ends no pass early: its jobs are repaired, and what was not asked is reported', async () => {
  const ports = await addSilentHosts(1_500);
  const { workerId } = await addWorker(database.pool, { workerId: 'gone', status: 'offline' });
  const jobId = await addWaitingJob(database.pool);
  const attemptId = await addAttempt(database.pool, { jobId, workerId, state: 'running', tookMs: 60_000 });
  await database.pool.query(`update yardmaster.job set state = 'running', attempt_id = $2 where job_id = $1`, [jobId, attemptId]);
  const { asked, notified, report } = await pass(ports);
  expect(asked.length).toBeGreaterThan(0);
  expect(asked.length).toBeLessThanOrEqual(askedMax);
  expect(report.counts.left_for_next_pass).toBe(1);
  // A hundred lines about ports are no reason to leave out the one about the rest.
  expect(report.items.map(({ finding }) => finding)).toContain('left_for_next_pass');
  expect(notified).toEqual([expect.stringMatching(`^examine ${jobId} `)]);
});

test('each pass asks first who answered last, then who was not asked yet', async () => {
  const ports = await addSilentHosts(800);
  const up = await addWorker(database.pool, { workerId: 'up' });
  const seen = new Set<string>();
  for (let passes = 0; passes < 40 && seen.size < 800; passes += 1) {
    const { asked } = await pass(ports);
    expect(asked[0]).toBe(up.host);
    const silent = asked.slice(1);
    const isNew = silent.map((host) => !seen.has(host));
    expect(isNew).toEqual(isNew.toSorted((one, other) => Number(other) - Number(one)));
    for (const host of silent) seen.add(host);
  }
  expect(seen.size).toBe(800);
});

test('a worker whose host was not asked, or not a second time, stays as it is until it was', async () => {
  const ports = await addSilentHosts(500);
  await query(`update gh_worker_registry set last_heartbeat = now() - interval '6 min', registered_at = now() - interval '1 hour'`);
  const offline = new Map<string, number>();
  const marked: number[] = [];
  for (; marked.length < 40 && offline.size < 500; marked.push(offline.size)) {
    const { asked } = await pass(ports);
    const rows = await query(`select ec2_ip from gh_worker_registry where status = 'offline'`);
    for (const host of rows.map(({ ec2_ip: ip }) => String(ip)).filter((ip) => !offline.has(ip)))
      offline.set(host, asked.filter((each) => each === host).length);
  }
  expect(marked[0]).toBeLessThan(500);
  expect([...new Set(offline.values())]).toEqual([2]);
  expect(offline.size).toBe(500);
});

test('the real figures ask 1,500 silent hosts in one pass, twice, in less than half of its 90 s', () => {
  expect(Math.ceil(1_500 / limits.probesAtOnce) * limits.probeTimeoutMs).toBeLessThanOrEqual(limits.probingMs);
  expect(2 * (limits.probingMs + limits.probeTimeoutMs)).toBeLessThan(45_000);
  // What answered at its beginning is fresh at its end.
  expect(2 * (limits.probingMs + limits.probeTimeoutMs)).toBeLessThan(limits.probeFreshMs);
});
