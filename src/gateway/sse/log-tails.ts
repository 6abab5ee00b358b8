import type { Pool } from 'pg';
import type { DeployLogLine } from '../../contracts/deploy';
import type { Limits } from '../../contracts/limits';
import { findNewestLogHead, readLogPage, type LogHead } from '../../db/deploys/deploy-log-reads';
import type { Log } from '../../log';

/** Lines that were read together, and their frames in each dialect, made once for all who read them. */
export interface LogChunk {
  /** Number of the line before its first, as far as its reader had seen. */
  after: number;
  lines: readonly DeployLogLine[];
  framed: Map<LogDialect, Buffer>;
}

/** Lines as the events of somebody's page. */
export interface LogDialect {
  frame(after: number, lines: readonly DeployLogLine[]): string;
  /** What retention has taken; the numbers of its first and its last line. */
  gap(from: number, to: number): string;
}

/**
 * The newest lines of a live deploy, read once for all who follow it, whatever their number. It keeps a bounded end; who is farther behind reads its
 * own pages from Postgres until it has caught up.
 */
export interface TailSeat {
  /** As of the last read; null when the deploy is gone. */
  head(): LogHead | null;
  /** The lines after a number: `behind` when the tail no longer keeps them, `here` when there are none yet. */
  next(after: number): LogChunk | 'behind' | 'here';
  leave(): void;
}

export interface LogTails {
  /** `wake` is called whenever the seat has something new to say. */
  join(head: LogHead, wake: () => void): TailSeat;
  /** The newest deploy of all. The first read fails when Postgres is away; later ones are only late. */
  followNewest(wake: () => void): Promise<{ newest: () => LogHead | null; leave: () => void }>;
  /** NOTIFY has said that a deploy's log has come this far. */
  notice(deployId: string, seq: number): void;
  /** A notification may have been missed. */
  poll(): void;
}

type TailLimits = Pick<Limits, 'logPageRows' | 'logPageBytes' | 'logTailBytes' | 'logGatherMs'>;
interface TailDeps {
  pool: Pool;
  limits: TailLimits;
  log: Pick<Log, 'warn' | 'info'>;
}

export const createLogTails = (deps: TailDeps): LogTails => {
  const tails = new Map<string, Tail>();
  const newest = createNewest(deps);
  return {
    join(head, wake) {
      const tail = tails.get(head.deployId) ?? createTail(deps, head);
      tails.set(head.deployId, tail);
      tail.wakes.add(wake);
      // What was notified between the caller's read and this moment has reached nobody.
      tail.read();
      return {
        head: tail.head,
        next: tail.next,
        leave() {
          tail.wakes.delete(wake);
          if (tail.wakes.size === 0 && tails.get(head.deployId) === tail) tails.delete(head.deployId);
        },
      };
    },
    followNewest: newest.follow,
    notice(deployId, seq) {
      tails.get(deployId)?.notice(seq);
      newest.notice(deployId);
    },
    poll() {
      for (const tail of tails.values()) tail.read();
      newest.read();
    },
  };
};

type Tail = ReturnType<typeof createTail>;

const createTail = ({ pool, limits, log }: TailDeps, start: LogHead) => {
  const { deployId } = start;
  const wakes = new Set<() => void>();
  let head: LogHead | null = start;
  let chunks: { chunk: LogChunk; bytes: number }[] = [];
  let keptBytes = 0;
  let keptFrom = start.lastSeq;
  let readTo = start.lastSeq;

  const keep = (lines: readonly DeployLogLine[]): void => {
    const last = lines.at(-1);
    if (last === undefined) return;
    const bytes = lines.reduce((sum, { line }) => sum + line.length, 0);
    chunks.push({ chunk: { after: readTo, lines, framed: new Map() }, bytes });
    readTo = last.seq;
    keptBytes += bytes;
    while (keptBytes > limits.logTailBytes && chunks.length > 1) {
      keptBytes -= chunks.shift()?.bytes ?? 0;
      keptFrom = chunks[0]?.chunk.after ?? readTo;
    }
  };

  /** Retention was faster than we: who needs these lines finds out in Postgres that they are gone. */
  const forgetUpTo = (seq: number): void => {
    chunks = [];
    keptBytes = 0;
    keptFrom = readTo = seq;
  };

  /** One read; answers whether there is more to read at once. */
  const readMore = async (): Promise<boolean> => {
    const page = await readLogPage(pool, { deployId, after: readTo, rows: limits.logPageRows, bytes: limits.logPageBytes });
    const wasLive = head?.outcome === null;
    head = page?.head ?? null;
    keep(page?.lines ?? []);
    const isEnd = page !== null && page.lines.length === 0;
    const isGap = isEnd && readTo < page.head.lastSeq;
    if (isGap) forgetUpTo(page.head.lastSeq);
    if (!isEnd || isGap || (wasLive && page.head.outcome !== null)) for (const wake of wakes) wake();
    return !isEnd && head !== null && readTo < head.lastSeq;
  };

  const reading = createTurns({
    readMore,
    isWanted: () => wakes.size > 0,
    gatherMs: limits.logGatherMs,
    onError: (error) => log.warn('The log of a deploy cannot be read; its readers wait', { deployId, error }),
  });

  return {
    wakes,
    head: () => head,
    next(after: number): LogChunk | 'behind' | 'here' {
      if (after >= readTo) return 'here';
      if (after < keptFrom) return 'behind';
      const found = chunks.find(({ chunk }) => after < (chunk.lines.at(-1)?.seq ?? 0))?.chunk;
      if (found === undefined) return 'here';
      return found.after === after ? found : { after, lines: found.lines.filter(({ seq }) => seq > after), framed: new Map() };
    },
    notice(seq: number) {
      // An end may be notified with the number of the last line.
      if (seq >= readTo) reading.now();
    },
    read() {
      // An ended log grows no more; one that is gone neither.
      if (head?.outcome === null || (head !== null && readTo < head.lastSeq)) reading.now();
    },
  };
};

const createNewest = ({ pool, limits, log }: TailDeps) => {
  const wakes = new Set<() => void>();
  let newest: LogHead | null = null;
  const readMore = async (): Promise<boolean> => {
    const found = await findNewestLogHead(pool);
    const isNew = found?.deployId !== newest?.deployId;
    newest = found;
    if (isNew) for (const wake of wakes) wake();
    return false;
  };
  const reading = createTurns({
    readMore,
    isWanted: () => wakes.size > 0,
    gatherMs: limits.logGatherMs,
    onError: (error) => log.warn('The newest deploy cannot be read', { error }),
  });
  return {
    async follow(wake: () => void) {
      await readMore();
      wakes.add(wake);
      return { newest: () => newest, leave: () => void wakes.delete(wake) };
    },
    notice(deployId: string) {
      if (deployId !== newest?.deployId) reading.now();
    },
    read: reading.now,
  };
};

interface Turns {
  readMore: () => Promise<boolean>;
  isWanted: () => boolean;
  gatherMs: number;
  onError: (error: unknown) => void;
}

/** Reads never overlap; what is wanted meanwhile is one more read, a moment later, so that lines which come one by one are read together. */
const createTurns = ({ readMore, isWanted, gatherMs, onError }: Turns): { now: () => void } => {
  let isReading = false;
  let isAskedAgain = false;
  let isErrorLogged = false;
  const run = async (): Promise<void> => {
    isReading = true;
    isAskedAgain = false;
    let hasMore = false;
    try {
      hasMore = await readMore();
      isErrorLogged = false;
    } catch (error) {
      // The next poll tries again.
      isAskedAgain = false;
      if (!isErrorLogged) onError(error);
      isErrorLogged = true;
    }
    setTimeout(
      () => {
        isReading = false;
        if ((hasMore || isAskedAgain) && isWanted()) void run();
      },
      hasMore ? 0 : gatherMs,
    );
  };
  return {
    now() {
      if (!isWanted()) return;
      if (isReading) isAskedAgain = true;
      else void run();
    },
  };
};
