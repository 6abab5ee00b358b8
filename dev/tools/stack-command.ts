import path from 'node:path';
import { parseArgs } from 'node:util';
import { flags } from './flags.cjs';
import { projectRoot } from '../../src/project-root';
import { startStack } from './stack';

/** `npm run stack`: the servers alone, until Ctrl-C. Tests run against them with the two variables that it prints. */
async function run(): Promise<void> {
  const { values } = parseArgs({ options: flags.stack });
  const stack = await startStack({
    dir: path.resolve(projectRoot(), values.dir),
    postgresPort: Number(values['postgres-port']),
    temporalPort: Number(values['temporal-port']),
    temporalUiPort: Number(values['temporal-ui-port']),
    fresh: values.fresh,
    say: (line) => console.error(line),
  });
  console.log(`export TEST_DATABASE_URL=${stack.databaseUrl} TEST_TEMPORAL_ADDRESS=${stack.temporalAddress}`);
  const stop = () => {
    stack.stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, stop);
}

run().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
