import { runRandomCancels } from '../support/cancel-run';
import { findBrokenPromises, gatherCommandEvidence } from '../support/command-checker';
import { commandModelFixture, runCommandModel } from '../support/command-model';
import { withFleetFixture } from '../support/fleet-fixture';
import { createSeededRandom, pickSeed } from '../support/seeded-random';

/** The smallest run of what `npm run test:faults` plays at length (random-cancels, command-model). */
describe('commands at random', () => {
  const fixture = withFleetFixture(commandModelFixture);

  test('P2 P3 P4: 6 cancels at random moments tell the truth and hit nobody else', async () => {
    const random = createSeededRandom(pickSeed());
    process.stderr.write(`TEST_SEED=${random.seed}\n`);
    const { open } = await runRandomCancels(fixture, { count: 6, random, atOnce: 6, isUnstoppable: () => false });
    expect(open).toEqual([]);
    expect(findBrokenPromises(await gatherCommandEvidence(fixture.pool, fixture.simulator))).toEqual([]);
  });

  test('P2 P3 P4: a random sequence of commands, deaths and progress keeps the promises', async () => {
    const seed = pickSeed();
    process.stderr.write(`TEST_SEED=${seed}\n`);
    expect(await runCommandModel(fixture, { seed, numRuns: 1 })).toBeNull();
  });
});
