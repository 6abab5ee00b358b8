import { eventFrame } from './frame';
import { followLog, type LogSource } from './deploy-log';
import type { LogDialect, LogTails } from './log-tails';
import type { Reader } from './reader';

/** As ATM's page reads it (atm §1.5): unnamed events without ids, and no line that is empty. Our own words are marked. */
const atmDialect: LogDialect = {
  frame: (_after, lines) =>
    lines
      .filter(({ line }) => line !== '')
      .map(({ line, stream }) => logEvent(stream === 'yardmaster' ? `[yardmaster] ${line}` : line))
      .join(''),
  gap: (from, to) => logEvent(`[yardmaster] lines ${from} to ${to} are no longer kept`),
};

const logEvent = (line: string): string => eventFrame({ data: { type: 'log', line } });

export type NewestDeploy = Awaited<ReturnType<LogTails['followNewest']>>;

/**
 * The old page's stream (atm §4.2). The page connects anew with each of its renders and forgets what it had, so every connection gets all
 * lines; but `complete` only who was there when the deploy ended, since a page that gets it on connecting connects again at once, for ever.
 */
export const streamNewestDeploy = async (source: LogSource, reader: Reader, { newest, leave }: NewestDeploy): Promise<void> => {
  let shownId: string | null = null;
  try {
    while (reader.isOpen()) {
      const head = newest();
      if (head === null || head.deployId === shownId) {
        await reader.rest();
        continue;
      }
      shownId = head.deployId;
      const ended = await followLog(source, reader, { head, after: 0, dialect: atmDialect });
      if (ended === null || head.outcome !== null) continue;
      const success = ended.outcome === 'succeeded' || ended.outcome === 'planned';
      await reader.send(eventFrame({ data: { type: 'complete', success, ...(success ? {} : { error: ended.detail || ended.outcome }) } }));
    }
  } finally {
    leave();
  }
};
