import type { RouteStep, RouteTaken } from '../contracts/command';
import { isInstance } from './host-address';

/** A live row of the registry, as far as routing goes. */
export interface RegisteredWorker {
  workerId: string;
  host: string | null;
  instanceId: string | null;
  /** Active or draining with a fresh heartbeat: a draining worker still owns its job, an offline one owns nothing. */
  isLive: boolean;
  registeredAt: Date;
}

/** What was looked up for a command; nothing here is a guess. */
export interface RouteFacts {
  attempt: {
    attemptId: string;
    /** Who claimed it; null until then. */
    claimedBy: string | null;
    target: string | null;
    host: string | null;
    instanceId: string | null;
  } | null;
  /** The registry rows of that worker id and of its machine. */
  registry: readonly RegisteredWorker[];
  /** The product's address for the machine, where it has one. */
  sandboxHost: string | null;
  listener: 'present' | 'absent' | 'unreadable';
  /** A resume uses a fallback only while the owner is proven alive: another process cannot answer for it. */
  isOwnerProvenAlive: boolean;
}

/** The warning of every fallback, in the incumbent's words, so that one search finds both (valet §1.5). */
export const fallbackMessage = 'Fleet routing fallback — cancel/resume may reach wrong EC2';

/** The same warning for a command that came past us, to another machine's API, and was found in the public row (design §5.5). */
export const aroundMessage = 'Fleet routing fallback — a command went around the gateway and is taken from the public row';

/** Where a cancel or resume goes, and why, step by step (design §5.1). Never silently anywhere (promise 4). */
export const routeCommand = (kind: 'cancel' | 'resume', facts: RouteFacts): RouteTaken => {
  const { attempt } = facts;
  if (attempt === null) {
    return take('row', null, null, null, 'the job was never handed to a worker', [
      { lookedUp: 'handover', found: null, level: 'info', reason: 'the job was never handed to a worker' },
    ]);
  }
  const steps: RouteStep[] = [{ lookedUp: 'handover', found: attempt.attemptId, level: 'info', reason: 'handed over' }];
  const workerId = attempt.claimedBy ?? attempt.target;
  steps.push(
    workerId === null
      ? { lookedUp: 'worker_id', found: null, level: 'warn', reason: 'no worker_id' }
      : {
          lookedUp: 'worker_id',
          found: workerId,
          level: 'info',
          reason: attempt.claimedBy === null ? 'its target, not claimed yet' : 'claimed it',
        },
  );
  if (workerId !== null) {
    const owner = facts.registry.find((row) => row.workerId === workerId && row.isLive && row.host !== null && isItsMachine(row, attempt));
    if (owner !== undefined) {
      steps.push({ lookedUp: 'registry', found: owner.host, level: 'info', reason: 'live' });
      return take('owner', attempt.attemptId, workerId, owner.host, 'the worker that owns the job', steps, owner.instanceId);
    }
    steps.push({ lookedUp: 'registry', found: null, level: 'error', reason: whyNoOwner(workerId, facts.registry) });
  }
  return fallBack(kind, facts, attempt, workerId, steps);
};

/**
 * Twins share an id, and the one that registered last owns the row: its process never had the attempt (ghosthands §2.6). An instance keeps its id
 * when its address moves; without one the address is all there is.
 */
const isItsMachine = (row: RegisteredWorker, attempt: NonNullable<RouteFacts['attempt']>): boolean =>
  isInstance(row.instanceId) && isInstance(attempt.instanceId)
    ? row.instanceId === attempt.instanceId
    : attempt.host === null || row.host === attempt.host;

const whyNoOwner = (workerId: string, registry: readonly RegisteredWorker[]): string => {
  const row = registry.find((candidate) => candidate.workerId === workerId);
  if (row === undefined) return 'workerId not found in gh_worker_registry';
  if (!row.isLive) return 'its registry row is offline or silent';
  return row.host === null ? 'its registry row has no address' : 'its registry row names another machine than the one that claimed';
};

const fallBack = (
  kind: 'cancel' | 'resume',
  facts: RouteFacts,
  attempt: NonNullable<RouteFacts['attempt']>,
  workerId: string | null,
  steps: RouteStep[],
): RouteTaken => {
  if (kind === 'resume' && !facts.isOwnerProvenAlive) {
    steps.push({ lookedUp: 'database', found: null, level: 'warn', reason: 'nobody proven alive waits for it' });
    return take('parked', attempt.attemptId, workerId, attempt.host, 'its owner is gone', steps);
  }
  const successor = findSuccessor(facts.registry, attempt, workerId);
  if (successor !== null) {
    const reason = `worker ${successor.workerId} answers on the same machine now`;
    steps.push({ lookedUp: 'successor', found: successor.host, level: 'warn', reason });
    return take('successor', attempt.attemptId, workerId, successor.host, reason, steps, successor.instanceId);
  }
  steps.push({ lookedUp: 'successor', found: null, level: 'warn', reason: 'no newer worker on its machine' });
  if (facts.sandboxHost !== null) {
    const reason = 'the address of the sandbox of its machine';
    steps.push({ lookedUp: 'sandbox', found: facts.sandboxHost, level: 'warn', reason });
    return take('sandbox', attempt.attemptId, workerId, facts.sandboxHost, reason, steps, attempt.instanceId);
  }
  steps.push({ lookedUp: 'sandbox', found: null, level: 'warn', reason: 'no sandbox names its machine' });
  if (facts.listener === 'present') {
    const reason = 'only its cancel listener in the database is left to reach it';
    steps.push({ lookedUp: 'database', found: attempt.attemptId, level: 'warn', reason });
    return take('database', attempt.attemptId, workerId, null, reason, steps);
  }
  const reason =
    facts.listener === 'unreadable' ? 'the queries of other backends are hidden from us' : 'no cancel listener of it in the database';
  steps.push({ lookedUp: 'database', found: null, level: 'warn', reason });
  return take('parked', attempt.attemptId, workerId, attempt.host, reason, steps);
};

/** The newest live worker on the machine of the attempt, by instance first: an address is used again by other machines. */
const findSuccessor = (
  registry: readonly RegisteredWorker[],
  attempt: NonNullable<RouteFacts['attempt']>,
  workerId: string | null,
): RegisteredWorker | null => {
  const others = registry.filter((row) => row.isLive && row.host !== null && row.workerId !== workerId);
  const newest = (rows: RegisteredWorker[]): RegisteredWorker | null =>
    rows.toSorted((one, other) => other.registeredAt.getTime() - one.registeredAt.getTime())[0] ?? null;
  const onInstance = isInstance(attempt.instanceId) ? newest(others.filter(({ instanceId }) => instanceId === attempt.instanceId)) : null;
  if (onInstance !== null) return onInstance;
  // The same address under another instance id is another machine: whoever answers there is a stranger.
  return newest(
    others.filter(({ host, instanceId }) => host === attempt.host && !(isInstance(instanceId) && isInstance(attempt.instanceId))),
  );
};

const take = (
  route: RouteTaken['route'],
  attemptId: string | null,
  workerId: string | null,
  host: string | null,
  reason: string,
  steps: RouteStep[],
  instanceId: string | null = null,
): RouteTaken => ({ route, attemptId, workerId, host, instanceId, reason, steps });

/** INFO for what went as wished, ERROR where the registry does not know the worker, WARN for every other fallback. */
export const routeLevel = ({ steps }: RouteTaken): 'info' | 'warn' | 'error' => {
  if (steps.some(({ level }) => level === 'error')) return 'error';
  return steps.some(({ level }) => level === 'warn') ? 'warn' : 'info';
};
