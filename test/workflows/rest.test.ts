import { randomUUID } from 'node:crypto';
import { until } from '../support/until';
import { withFleetFixture } from '../support/fleet-fixture';

const fixture = withFleetFixture({ hosts: 1 });

const submit = async (path: string): Promise<string> => {
  const jobId = randomUUID();
  await fixture.submit(`https://sim.test${path}`, { jobId });
  return jobId;
};

/** As if so much time had passed for everybody but the workers, which beat all the time. */
const letTimePass = async (minutes: number): Promise<void> => {
  await fixture.pool.query(
    `update yardmaster.job set touched_at = touched_at - $1::int * interval '1 min', state_at = state_at - $1::int * interval '1 min' where ended_at is null`,
    [minutes],
  );
  await fixture.pool.query(`update yardmaster.received_callback set received_at = received_at - $1::int * interval '1 min'`, [minutes]);
};

const isDue = `select from yardmaster.job where ended_at is null and touched_at < now() - interval '1 h'`;

/** What the workflow was told, and what its history cost. */
const countEvents = async (jobId: string): Promise<{ signals: number; events: number }> => {
  const { events } = await fixture.handleOf(jobId).fetchHistory();
  const signals = (events ?? []).filter(({ workflowExecutionSignaledEventAttributes: signalled }) => signalled).length;
  return { signals, events: events?.length ?? 0 };
};

test('a job that rests costs at most one look an hour, whether it waits for a worker, at a review, or for a word', async () => {
  const uncertain = await submit('/fails-after-form?code=timeout&ms=50');
  await fixture.until(uncertain, 'uncertain');
  const review = await submit('/review?ms=50');
  await until(
    async () => {
      await fixture.sweep();
      return (await fixture.job(review)).state === 'waiting_human';
    },
    { what: 'the review is seen' },
  );
  const waiting = await submit('/quick');
  await fixture.until(waiting, 'waiting');
  const resting = [uncertain, review, waiting];

  const before = await Promise.all(resting.map(countEvents));
  const hours = 3;
  const passesAnHour = 4;
  for (let pass = 0; pass < hours * passesAnHour; pass++) {
    await letTimePass(60 / passesAnHour);
    await fixture.sweep();
    await until(async () => (await fixture.pool.query(isDue)).rowCount === 0, { what: 'whoever was woken has looked' });
  }
  const after = await Promise.all(resting.map(countEvents));
  const signals = after.map((count, index) => count.signals - (before[index]?.signals ?? 0));
  // Looked at, all the same: a lost hint is made good.
  expect(signals.map((count) => count >= 1 && count <= hours)).toEqual([true, true, true]);
  // One look is eight events, or some more where a task of Temporal's own came between on a busy machine.
  expect(Math.max(...after.map((count, index) => count.events - (before[index]?.events ?? 0)))).toBeLessThanOrEqual(hours * 12);
  expect(await Promise.all(resting.map(async (jobId) => (await fixture.job(jobId)).state))).toEqual([
    'uncertain',
    'waiting_human',
    'waiting',
  ]);
});
