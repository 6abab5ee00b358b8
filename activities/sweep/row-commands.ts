import { countRowCommands, listPutBack, listRowWords } from '../../src/db/row-words';
import type { MirrorRepair } from '../../src/db/mirror';
import { listWaysAround } from '../../src/domain/way-around';
import { listMachineSandboxes } from '../../src/db/sandboxes';
import { createRowCommands } from '../row-commands';
import type { Pass } from './pass';

/** Commands that a neighbour wrote into public rows, and of which no notification came: before anything puts those rows right. */
export const takeRowCommands = async (pass: Pass): Promise<void> => {
  const { limits } = pass.deps;
  const rows = pass.bound('public rows that hold a command', await listRowWords(pass.db, { rows: limits.sweepBatchRows }));
  const { take } = createRowCommands(pass.deps);
  for (const { jobId, words } of rows) {
    for (const word of words) {
      if (pass.isDryRun) {
        pass.add({ finding: 'row_command', subject: jobId, detail: word });
        continue;
      }
      const command = await take(jobId, word);
      if (command !== null)
        pass.add({ finding: 'row_command', subject: jobId, detail: `${word}: ${command.reason}`, after: command.taken });
    }
  }
};

/** Rows of ended jobs that GH's own retry has put back: the next generation opens where that may be; the others are repaired like any overwrite. */
export const retryPutBack = async (pass: Pass, overwrites: readonly MirrorRepair[]): Promise<void> => {
  const jobIds = overwrites.flatMap(({ jobId, found }) => (found === 'pending' ? jobId : []));
  const { take } = createRowCommands(pass.deps);
  for (const jobId of await listPutBack(pass.db, jobIds)) {
    const command = pass.isDryRun ? null : await take(jobId, 'retry');
    if (pass.isDryRun) pass.add({ finding: 'row_command', subject: jobId, detail: 'retry' });
    else if (command !== null)
      pass.add({ finding: 'row_command', subject: jobId, detail: `retry: ${command.reason}`, after: command.taken });
  }
};

/** The fault of the set-up by which commands go around us: what is known of it before one does, and while the last one is not long ago. */
export const nameWaysAround = async (pass: Pass): Promise<void> => {
  const { limits } = pass.deps;
  const sandboxes = await pass.asTheNeighboursAllow('select on sandboxes', async () => await listMachineSandboxes(pass.db));
  const around = listWaysAround({
    sandboxes: sandboxes ?? [],
    commands: await countRowCommands(pass.db, { withinMs: limits.aroundAlarmMs }),
  });
  for (const finding of around) pass.add(finding);
};
