import { recordCommandEnd } from '../src/db/audit';
import { noteCommand } from '../src/db/commands';
import { withTransaction } from '../src/db/pool';
import type { OrchestratorDeps } from './deps';

/** The outcome of a command and its line in the audit are one write; ending an ended command changes nothing. */
export const endCommand = async (
  { pool, observe }: Pick<OrchestratorDeps, 'pool' | 'observe'>,
  note: Omit<Parameters<typeof noteCommand>[1], 'isEnd'>,
): Promise<void> => {
  const ended = await withTransaction(pool, async (client) => {
    const noted = await noteCommand(client, { ...note, isEnd: true });
    await recordCommandEnd(client, note.commandId);
    return noted;
  });
  if (ended !== null) observe({ of: 'command', kind: ended.kind, route: ended.route, outcome: ended.outcome });
};
