import { commandModelFixture, runCommandModel } from '../support/command-model';
import { pickSeed } from '../support/seeded-random';
import { withFleetFixture } from '../support/fleet-fixture';

/** More sequences: COMMAND_MODEL_RUNS=50; TEST_SEED repeats a run. */
const numRuns = Number(process.env.COMMAND_MODEL_RUNS ?? 5);

const fixture = withFleetFixture(commandModelFixture);

test(
  `P2, P3, P4: ${numRuns} random sequences of commands, deaths and progress keep the promises`,
  async () => {
    const seed = pickSeed();
    process.stderr.write(`TEST_SEED=${seed}\n`);
    expect(await runCommandModel(fixture, { seed, numRuns })).toBeNull();
  },
  120_000 + numRuns * 20_000,
);
