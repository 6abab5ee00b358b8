import { endCommand as endCommandRow } from '../../src/db/commands/commands';
import { withTransaction } from '../../src/db/pool';
import type { OrchestratorDeps } from '../deps';

/** Counts what ends. */
export const endCommand = async (
  { pool, observe }: Pick<OrchestratorDeps, 'pool' | 'observe'>,
  update: Parameters<typeof endCommandRow>[1],
): Promise<void> => {
  const ended = await withTransaction(pool, async (client) => await endCommandRow(client, update));
  if (ended !== null) observe({ of: 'command', kind: ended.kind, route: ended.route, outcome: ended.outcome });
};
