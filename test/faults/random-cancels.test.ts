import { runRandomCancels } from '../support/cancel-run';
import { findBrokenPromises, gatherCommandEvidence } from '../support/command-checker';
import { createSeededRandom, pickSeed } from '../support/seeded-random';
import { until } from '../support/until';
import { withFleetFixture } from '../support/fleet-fixture';

/** The whole run is `RANDOM_CANCELS=300`; TEST_SEED repeats one. */
const count = Number(process.env.RANDOM_CANCELS ?? 40);

/** No direct URL, so no listener: 127.0.1.5 can be recycled, this one nothing reaches. */
const unstoppable = '127.0.1.6';

const fixture = withFleetFixture({
  hosts: 6,
  // The last second of a real worker, at a third of its length.
  times: { exitDelayMs: 300, containerRestartMs: 200 },
  limits: { retryBackoffFirstMs: 500, retryBackoffMaxMs: 1_000, attemptSilentMs: 5_000, doubtRecheckMs: 500, deafWorkerMs: 2_000 },
  hostOptions: (index) => ({ hasDirectUrl: index < 4 }),
  async recycle(simulator, host) {
    if (host === unstoppable) return false;
    await simulator.restart(host);
    return true;
  },
});

test(
  `P2, P3, P4: ${count} cancels at random moments tell the truth, stop what they can, and hit nobody else`,
  async () => {
    const random = createSeededRandom(pickSeed());
    process.stderr.write(`TEST_SEED=${random.seed}\n`);
    const run = await runRandomCancels(fixture, { count, random, atOnce: 10, isUnstoppable: (host) => host === unstoppable });
    // A worker whose row has ended may still close its browser.
    const busy = (): string[] =>
      fixture.simulator.hosts.filter((host) => (host.describe().worker?.activeJobs ?? 0) > 0).map(({ ip }) => ip);
    await until(() => busy().every((ip) => ip === unstoppable), { what: 'nobody else works' });

    process.stderr.write(`${JSON.stringify({ ...run, open: run.open.length, atEnd: busy() })}\n`);
    expect(findBrokenPromises(await gatherCommandEvidence(fixture.pool, fixture.simulator))).toEqual([]);
    // Who cannot be stopped is named: by a command that has not ended.
    expect(run.open.filter(({ route }) => route?.host !== unstoppable)).toEqual([]);

    // When a person restarts the machine that nothing else reached, its commands end as well.
    await fixture.simulator.restart(unstoppable);
    await until(
      async () => {
        const { rowCount } = await fixture.pool.query(`select from yardmaster.command where ended_at is null`);
        return rowCount === 0;
      },
      { what: 'the commands of the restarted machine end', timeoutMs: 60_000 },
    );
    expect(findBrokenPromises(await gatherCommandEvidence(fixture.pool, fixture.simulator))).toEqual([]);
  },
  60_000 + count * 3_000,
);
