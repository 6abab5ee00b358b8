import { writeFileSync, existsSync } from 'node:fs';
import { withDatabase } from '../support/database';
import { withTemporal } from '../support/temporal';
import { startApiWorld } from '../support/api-world';
const database = withDatabase();
const temporal = withTemporal();
it('holds', async () => {
  const world = await startApiWorld({ pool: database.pool, databaseUrl: database.databaseUrl, temporal });
  writeFileSync(
    '/tmp/oa/world.json',
    JSON.stringify({ url: world.gateway.url, workerId: world.workerId, jobId: world.jobId, deployId: world.deployId }),
  );
  let n = 0;
  while (!existsSync('/tmp/oa/stop')) {
    await new Promise((r) => setTimeout(r, 1000));
    const l = world.gateway.logLines.splice(0);
    for (const x of l) if (/"level":"error"|A request failed/.test(x)) writeFileSync('/tmp/oa/errors.log', x + '\n', { flag: 'a' });
    n++;
  }
  await world.stop();
}, 7_200_000);
