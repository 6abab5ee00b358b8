import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { projectRoot } from '../../src/project-root';

/**
 * The random cancels of test/integration at their full length, round by round with seeds of their own:
 * `node .yardmaster/build/bench/faults/random-cancels.js --rounds 3 [--cancels 300] [--seed 1]`. Ends with 1 when a promise was broken.
 */
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '1' },
    cancels: { type: 'string', default: '300' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
  },
});
for (let round = 0; round < Number(values.rounds); round++) {
  const { status } = spawnSync('npx', ['jest', 'test/faults/random-cancels'], {
    cwd: projectRoot(),
    env: { ...process.env, RANDOM_CANCELS: values.cancels, TEST_SEED: String(Number(values.seed) + round) },
    stdio: 'inherit',
  });
  if (status !== 0) process.exitCode = 1;
}
