import type { ServerResponse } from 'node:http';
import { Semaphore } from 'async-mutex';
import type { Pool } from 'pg';
import { deployLogChannel } from '../../contracts/deploy';
import type { Limits } from '../../contracts/limits';
import { endedSessionChannel, listEndedSessions } from '../../db/ended-sessions';
import { createListener } from '../../db/listen';
import type { Log } from '../../log';
import type { LogSource } from './deploy-log';
import { createLogTails } from './log-tails';
import { createReaders, type Reader, type ReaderOf } from './reader';

/** All that streams in one gateway: one LISTEN, one tail for each log that somebody follows, and its readers. */
export interface LogStreams {
  source: LogSource;
  admit(response: ServerResponse, of: ReaderOf): Reader;
  countReaders: () => { open: number; stalled: number };
  close(): Promise<void>;
}

export const createLogStreams = ({
  pool,
  directUrl,
  limits,
  log,
}: {
  pool: Pool;
  /** Undefined: no LISTEN, changes are found by polling. */
  directUrl: string | undefined;
  limits: Limits;
  log: Log;
}): LogStreams => {
  const readers = createReaders(limits);
  const tails = createLogTails({ pool, limits, log });
  const listener = createListener({
    directUrl,
    channels: [deployLogChannel, endedSessionChannel],
    onNotify(channel, payload) {
      if (channel === endedSessionChannel) return readers.endSessions([payload]);
      const [, deployId, seq] = /^(\S+) (\d+)$/.exec(payload) ?? [];
      if (deployId !== undefined) tails.notice(deployId, Number(seq));
    },
    async onPoll() {
      tails.poll();
      const sessionIds = readers.listSessions();
      if (sessionIds.length > 0) readers.endSessions(await listEndedSessions(pool, sessionIds).catch(() => []));
    },
    pollEveryMs: limits.logPollMs,
    log,
    applicationName: 'yardmaster-gateway-listen',
  });
  return {
    source: { pool, tails, limits, semaphore: new Semaphore(limits.logPagesAtOnce) },
    admit: readers.admit,
    countReaders: readers.count,
    async close() {
      readers.close();
      await listener.close();
    },
  };
};
