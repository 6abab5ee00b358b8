import { countRowCommands, listPutBack, listRowCommands, type RowCommandKind } from '../../src/db/commands/row-commands';
import type { MirrorRepair } from '../../src/db/jobs/mirror';
import { listWaysAround } from '../../src/domain/way-around';
import { listMachineSandboxes } from '../../src/db/fleet/sandboxes';
import { createRowCommands, type RowCommands } from '../commands/row-commands';
import type { Pass } from './pass';

/** Commands that a neighbour wrote into public rows, and of which no notification came: before anything puts those rows right. */
export const takeRowCommands = async (pass: Pass): Promise<void> => {
  const { limits } = pass.deps;
  const rows = pass.bound('public rows that hold a command', await listRowCommands(pass.db, { rows: limits.sweepBatchRows }));
  const { take } = createRowCommands(pass.deps);
  for (const { jobId, kinds } of rows) for (const kind of kinds) await takeOne(pass, take, jobId, kind);
};

/** Rows of ended jobs that GH's own retry has put back: the next generation opens where that may be. Answers those that may be repaired like any overwrite. */
export const retryPutBack = async (pass: Pass, overwrites: readonly MirrorRepair[]): Promise<MirrorRepair[]> => {
  const jobIds = overwrites.flatMap(({ jobId, found }) => (found === 'pending' ? jobId : []));
  const { take } = createRowCommands(pass.deps);
  const untaken = new Set<string>();
  for (const jobId of await listPutBack(pass.db, jobIds)) if (!(await takeOne(pass, take, jobId, 'retry'))) untaken.add(jobId);
  return overwrites.filter(({ jobId }) => !untaken.has(jobId));
};

/** False: it could not be taken. */
const takeOne = async (pass: Pass, take: RowCommands['take'], jobId: string, kind: RowCommandKind): Promise<boolean> => {
  if (pass.isDryRun) {
    pass.add({ finding: 'row_command', subject: jobId, detail: kind });
    return true;
  }
  const command = await take(jobId, kind);
  if (command?.taken === 'failed') return false;
  if (command !== null) pass.add({ finding: 'row_command', subject: jobId, detail: `${kind}: ${command.reason}`, after: command.taken });
  return true;
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
