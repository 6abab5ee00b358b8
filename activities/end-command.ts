import { recordCommandEnd } from '../src/db/audit';
import { updateCommand } from '../src/db/commands';
import { withTransaction } from '../src/db/pool';
import type { OrchestratorDeps } from './deps';

/** The outcome of a command and its line in the audit are one write; ending an ended command changes nothing. */
export const endCommand = async (
  { pool, observe }: Pick<OrchestratorDeps, 'pool' | 'observe'>,
  update: Omit<Parameters<typeof updateCommand>[1], 'isEnd'>,
): Promise<void> => {
  const ended = await withTransaction(pool, async (client) => {
    const updated = await updateCommand(client, { ...update, isEnd: true });
    await recordCommandEnd(client, update.commandId);
    return updated;
  });
  if (ended !== null) observe({ of: 'command', kind: ended.kind, route: ended.route, outcome: ended.outcome });
};
