import { setTimeout as delay } from 'node:timers/promises';
import type { Semaphore } from 'async-mutex';
import type { Pool } from 'pg';
import type { DeployLogLine } from '../../contracts/deploy';
import type { Limits } from '../../contracts/limits';
import { readLogPage, type LogHead, type LogPage } from '../../db/deploys/deploy-log-reads';
import { isDatabaseOutage } from '../../db/outage';
import { endId, eventFrame } from './frame';
import type { LogDialect, LogTails } from './log-tails';
import type { Reader } from './reader';

export interface LogSource {
  pool: Pool;
  tails: LogTails;
  limits: Pick<Limits, 'logPageRows' | 'logPageBytes' | 'logPagesAtOnce' | 'degradedPollMs'>;
  /** Bounds the pages that are read at once: a hundred readers that catch up must not take every connection of the gateway. */
  semaphore: Semaphore;
}

/** Our own words: the id of an event is where a reconnect goes on. */
export const nativeDialect: LogDialect = {
  frame: (after, lines) =>
    lines.map((line, index) => gapBefore(index === 0 ? after : lines[index - 1]?.seq, line) + lineFrame(line)).join(''),
  gap: (from, to) => eventFrame({ id: to, event: 'gap', data: { from, to } }),
};

const lineFrame = (line: DeployLogLine): string => eventFrame({ id: line.seq, data: line });
const gapBefore = (seen: number | undefined, { seq }: DeployLogLine): string =>
  seen === undefined || seq === seen + 1 ? '' : nativeDialect.gap(seen + 1, seq - 1);

/** Sends the lines after a number, and goes on with every new one, until the end, which it sends as well. */
export const streamDeployLog = async (
  source: LogSource,
  reader: Reader,
  { head, after }: { head: LogHead; after: number },
): Promise<void> => {
  const ended = await followLog(source, reader, { head, after, dialect: nativeDialect });
  if (ended !== null) {
    const { outcome, detail, lastSeq, deployId } = ended;
    await reader.send(eventFrame({ id: endId(lastSeq), event: 'end', data: { deployId, outcome, detail, lastSeq } }));
  }
  reader.end();
};

/** Answers the log's end once all of it is sent; null when the reader left, or the deploy was deleted meanwhile. */
export const followLog = async (
  source: LogSource,
  reader: Reader,
  { head, after, dialect }: { head: LogHead; after: number; dialect: LogDialect },
): Promise<LogHead | null> => {
  const seat = source.tails.join(head, reader.wake);
  try {
    let position = after;
    while (reader.isOpen()) {
      const next = seat.next(position);
      if (next === 'here') {
        const now = seat.head();
        // The tail may know of the end before it has read up to it.
        if (now === null || (now.outcome !== null && position >= now.lastSeq)) return now;
        await reader.rest();
        continue;
      }
      if (next === 'behind') {
        const page = await readPage(source, head.deployId, position);
        if (page === 'later') continue;
        if (page === null) return null;
        const last = page.lines.at(-1)?.seq ?? page.head.lastSeq;
        // Without a line: retention has taken all there was.
        await sendFrames(reader, page.lines.length > 0 ? dialect.frame(position, page.lines) : dialect.gap(position + 1, last));
        position = last;
        continue;
      }
      const framed = next.framed.get(dialect) ?? Buffer.from(dialect.frame(position, next.lines));
      next.framed.set(dialect, framed);
      await sendFrames(reader, framed);
      position = next.lines.at(-1)?.seq ?? position;
    }
    return null;
  } finally {
    seat.leave();
  }
};

const sendFrames = async (reader: Reader, frames: string | Buffer): Promise<void> => {
  // A dialect may have no words for a line.
  if (frames.length > 0) await reader.send(frames);
};

const outagePauseMs = 500;

/** While Postgres is away a stream that is under way waits, kept alive by its heartbeat. */
const readPage = async ({ pool, limits, semaphore }: LogSource, deployId: string, after: number): Promise<LogPage | null | 'later'> => {
  try {
    return await semaphore.runExclusive(
      async () => await readLogPage(pool, { deployId, after, rows: limits.logPageRows, bytes: limits.logPageBytes }),
    );
  } catch (error) {
    if (!isDatabaseOutage(error)) throw error;
    await delay(outagePauseMs);
    return 'later';
  }
};
