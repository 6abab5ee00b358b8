import { loadConfig } from '../config';
import { createLog } from '../log';
import { migrate } from './migrate';

async function run(): Promise<void> {
  const config = loadConfig(process.env, 'migrate');
  const log = createLog({ level: config.logLevel, pretty: config.logPretty, secrets: config.secrets, process: 'migrate' });
  try {
    // The lock belongs to a session, which a transaction pooler does not keep.
    await migrate((config.database.directUrl ?? config.database.url).unredacted(), log);
  } catch (error) {
    log.error('The database was not migrated', { error });
    process.exitCode = 1;
  }
}

run().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
