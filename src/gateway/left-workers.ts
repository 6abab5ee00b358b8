import { listLeftProcesses } from '../db/attempts/left-processes';
import type { Queryable } from '../db/queryable';
import { findRecycleReadiness } from '../db/fleet/recycle-command';
import { findWaitForPerson, whyReplaced } from '../domain/left-process';
import type { GatewayDeps } from './gateway-deps';

/** A worker that gets no job before a person has restarted it. */
export interface WorkerToRestart {
  workerId: string;
  host: string | null;
  jobId: string;
  detail: string;
  tries: number;
}

export const listWorkersToRestart = async (db: Queryable, { limits }: Pick<GatewayDeps, 'limits'>): Promise<WorkerToRestart[]> => {
  const left = await listLeftProcesses(db, limits);
  const readiness = left.length === 0 ? null : await findRecycleReadiness(db);
  return left.flatMap((each) => {
    const { workerId, host, jobId, tries } = each;
    const detail = findWaitForPerson(each, readiness);
    return detail === null ? [] : { workerId, host, jobId, detail, tries };
  });
};

/** The worker that a job has left behind, and what becomes of it; null where there is none. */
export const findLeftWorker = async (
  db: Queryable,
  { limits }: Pick<GatewayDeps, 'limits'>,
  jobId: string,
): Promise<{ workerId: string; host: string | null; isBeingRecycled: boolean; detail: string } | null> => {
  const left = (await listLeftProcesses(db, { jobId, fleetRowsMax: limits.fleetRowsMax })).at(-1);
  if (left === undefined) return null;
  const wait = findWaitForPerson(left, await findRecycleReadiness(db));
  return { workerId: left.workerId, host: left.host, isBeingRecycled: wait === null, detail: wait ?? whyReplaced(left) };
};
