import type { Pool } from 'pg';
import { recordCommandEnd } from '../src/db/audit';
import { noteCommand } from '../src/db/commands';
import { withTransaction } from '../src/db/pool';

/** The outcome of a command and its line in the audit are one write; ending an ended command changes nothing. */
export const endCommand = async (pool: Pool, note: Omit<Parameters<typeof noteCommand>[1], 'isEnd'>): Promise<void> => {
  await withTransaction(pool, async (client) => {
    await noteCommand(client, { ...note, isEnd: true });
    await recordCommandEnd(client, note.commandId);
  });
};
