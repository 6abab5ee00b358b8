import { defaultStrategy } from '../../src/contracts/deploy';
import { insertDeploy } from '../../src/db/deploys/deploys';
import type { Queryable } from '../../src/db/queryable';

/** A deploy to a destination of its own, as its workflow writes it first. */
export const insertNewDeploy = async (db: Queryable, { deployId, owner }: { deployId: string; owner: string }): Promise<void> => {
  await insertDeploy(db, {
    deployId,
    service: 'ghosthands',
    destination: `d-${deployId}`,
    kind: 'deploy',
    version: 'v2',
    strategy: defaultStrategy,
    isDryRun: false,
    reason: null,
    actor: 'test',
    source: 'test',
    owner,
  });
};
