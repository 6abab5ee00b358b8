import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { LogStream } from '../../src/contracts/deploy';
import type { Limits } from '../../src/contracts/limits';
import { appendLogLines, findStoredLines, type NewLogLine } from '../../src/db/deploys/deploy-logs';
import { isDatabaseOutage } from '../../src/db/outage';
import type { Log } from '../../src/log';

/** Another run of the step writes now: this one must end its child and be still. */
export class OvertakenError extends Error {
  override readonly name = 'OvertakenError';
}

export interface DeployLog {
  /** Stored soon. The promise is open while too much waits, which holds up the child rather than our memory. It rejects once another run has taken over. */
  write(line: { stream: LogStream; line: string }): Promise<void>;
  /** A line of our own. */
  say(text: string): Promise<void>;
  /** When it answers, everything written before is stored. */
  flush(): Promise<void>;
}

/**
 * Stores the lines of one run of a step in their order: the first at once, and what comes while it is on its way together behind it. While Postgres is
 * away the lines wait and are tried again; a batch whose answer was lost is looked for before it is written a second time.
 */
export const createDeployLog = ({
  pool,
  log,
  limits,
  deployId,
  runner,
  lastSeq,
}: {
  pool: Pool;
  log: Log;
  limits: Pick<Limits, 'deployLogBatchLines' | 'deployLogWaitingLines' | 'deployLogWaitingBytes' | 'deployLogRetryMs'>;
  deployId: string;
  runner: string;
  lastSeq: number;
}): DeployLog => {
  const waiting: NewLogLine[] = [];
  let waitingBytes = 0;
  let storedSeq = lastSeq;
  let sending: Promise<void> | null = null;
  let overtaken: OvertakenError | null = null;

  const isFull = (): boolean => waiting.length >= limits.deployLogWaitingLines || waitingBytes >= limits.deployLogWaitingBytes;

  const store = async (batch: readonly NewLogLine[], [first]: readonly NewLogLine[] = batch): Promise<void> => {
    for (let tries = 0; first !== undefined; tries++) {
      try {
        const found = tries === 0 ? null : await findStoredLines(pool, { deployId, afterSeq: storedSeq, first, count: batch.length });
        const seq = found ?? (await appendLogLines(pool, { deployId, runner, lines: batch }));
        if (seq === null) throw new OvertakenError(`another run writes the log of deploy ${deployId}`);
        storedSeq = seq;
        return;
      } catch (error) {
        if (!isDatabaseOutage(error)) throw error;
        if (tries === 0) log.warn('Lines of a deploy wait for Postgres', { deployId, waiting: waiting.length, error });
        await delay(limits.deployLogRetryMs);
      }
    }
  };

  const sendAll = async (): Promise<void> => {
    // What arrives in the same turn travels together.
    await Promise.resolve();
    while (waiting.length > 0) {
      const batch = waiting.slice(0, limits.deployLogBatchLines);
      await store(batch);
      // Only now: a line is either waiting or stored.
      waiting.splice(0, batch.length);
      waitingBytes -= bytesOf(batch);
    }
  };

  const send = (): Promise<void> =>
    (sending ??= sendAll()
      .catch((error: unknown) => {
        overtaken ??= error instanceof OvertakenError ? error : new OvertakenError(`a line could not be stored: ${String(error)}`);
        waiting.length = 0;
        waitingBytes = 0;
      })
      .finally(() => {
        sending = null;
      }));

  const write: DeployLog['write'] = async ({ stream, line }) => {
    if (overtaken !== null) throw overtaken;
    const entry = { at: new Date(), stream, line };
    waiting.push(entry);
    waitingBytes += bytesOf([entry]);
    const sent = send();
    while (isFull() && overtaken === null) await Promise.race([sent, delay(limits.deployLogRetryMs)]);
    if (overtaken !== null) throw overtaken;
  };

  return {
    write,
    say: async (text) => await write({ stream: 'yardmaster', line: text }),
    async flush() {
      while (waiting.length > 0) await send();
      if (overtaken !== null) throw overtaken;
    },
  };
};

const bytesOf = (lines: readonly NewLogLine[]): number => lines.reduce((sum, { line }) => sum + line.length, 0);
