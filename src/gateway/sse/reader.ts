import type { ServerResponse } from 'node:http';
import type { Limits } from '../../contracts/limits';
import { Problem } from '../problem';
import { commentFrame, retryFrame } from './frame';

/** One open response of events. What a reader does not take stays in Postgres: it holds one write at most, and asks for no more until that is gone. */
export interface Reader {
  isOpen(): boolean;
  /** Resolves when more may be sent, or the reader is gone. */
  send(frames: string | Buffer): Promise<void>;
  /** Until `wake`, or the reader is gone. */
  rest(): Promise<void>;
  wake(): void;
  end(): void;
}

/** Whose a reader is. */
export interface ReaderOf {
  /** The key's name, or the address of who shows none: one of them must not take every place. */
  owner: string;
  /** Null for who shows a key. */
  sessionId: string | null;
  /** The end of the session, in milliseconds; it may not be read under for longer. */
  until: number;
}

/** All readers of a gateway: how many there may be, their heartbeats, and their end when the gateway drains. */
export interface Readers {
  /** Its headers and a first comment are on the wire when this returns. Refuses when there are too many, of all or of this owner, or the gateway drains. */
  admit(response: ServerResponse, of: ReaderOf): Reader;
  /** The sessions under which somebody reads. */
  listSessions(): string[];
  endSessions(sessionIds: readonly string[]): void;
  count(): { open: number; stalled: number };
  /** Ends every stream cleanly; each comes back after a time of its own, here or elsewhere. */
  close(): void;
}

type ReaderLimits = Pick<Limits, 'logReadersMax' | 'logReadersOfOneMax' | 'streamHeartbeatMs' | 'streamStalledMs' | 'streamRetryMs'>;

const headers = {
  'Content-Type': 'text/event-stream',
  // nginx collects an answer before it passes it on, unless it is told.
  'X-Accel-Buffering': 'no',
  'Cache-Control': 'no-cache, no-transform',
};

export const createReaders = (limits: ReaderLimits): Readers => {
  const open = new Set<ReturnType<typeof openReader>>();
  let isClosed = false;
  let heart: NodeJS.Timeout | null = null;

  const beat = (): void => {
    const now = Date.now();
    for (const reader of open) reader.beat(now);
  };
  const forget = (reader: ReturnType<typeof openReader>): void => {
    open.delete(reader);
    if (open.size > 0 || heart === null) return;
    clearInterval(heart);
    heart = null;
  };

  return {
    admit(response, of) {
      if (isClosed) throw new Problem('unavailable', 'This gateway ends; connect again', { headers: { 'Retry-After': '1' } });
      if (open.size >= limits.logReadersMax) throw tooMany(`${limits.logReadersMax} readers are connected already`);
      const own = [...open].filter((reader) => reader.of.owner === of.owner).length;
      if (own >= limits.logReadersOfOneMax) throw tooMany(`${own} readers of this ${of.owner} are connected already, which is its share`);
      const reader = openReader(response, limits, of);
      open.add(reader);
      response.once('close', () => forget(reader));
      // A fifteenth of the heartbeat late is nothing, and one timer serves all.
      heart ??= setInterval(beat, limits.streamHeartbeatMs / 15).unref();
      return reader;
    },
    listSessions: () => [...new Set([...open].flatMap(({ of: { sessionId } }) => sessionId ?? []))],
    endSessions(sessionIds) {
      for (const reader of open) if (reader.of.sessionId !== null && sessionIds.includes(reader.of.sessionId)) reader.dismiss();
    },
    count: () => ({ open: open.size, stalled: [...open].filter((reader) => reader.isStalled()).length }),
    close() {
      isClosed = true;
      for (const reader of open) reader.farewell();
    },
  };
};

const tooMany = (what: string): Problem => new Problem('too_many_readers', what, { headers: { 'Retry-After': '30' } });

const openReader = (response: ServerResponse, limits: ReaderLimits, of: ReaderOf) => {
  let isOpen = true;
  let wroteAt = Date.now();
  let isWoken = false;
  let resolveRest: (() => void) | null = null;

  const wake = (): void => {
    isWoken = true;
    resolveRest?.();
    resolveRest = null;
  };
  response.once('close', () => {
    isOpen = false;
    wake();
  });
  // The close that follows is what counts: whoever reads may vanish at any moment.
  response.on('error', () => undefined);

  const end = (): void => {
    if (!isOpen) return;
    isOpen = false;
    response.end();
    wake();
  };

  response.writeHead(200, headers);
  response.write(commentFrame('yardmaster') + retryFrame(limits.streamRetryMs));

  /** Not to come back: its next request is refused. */
  const dismiss = (): void => {
    if (response.writableNeedDrain) response.destroy();
    end();
  };

  return {
    of,
    dismiss,
    isOpen: () => isOpen,
    isStalled: () => response.writableNeedDrain,
    async send(frames: string | Buffer) {
      if (!isOpen) return;
      wroteAt = Date.now();
      if (response.write(frames)) return;
      await new Promise<void>((resolve) => {
        const settle = (): void => {
          response.off('drain', settle);
          response.off('close', settle);
          resolve();
        };
        response.on('drain', settle);
        response.on('close', settle);
      });
    },
    async rest() {
      if (!isOpen) return;
      if (!isWoken) await new Promise<void>((resolve) => (resolveRest = resolve));
      isWoken = false;
    },
    wake,
    end,
    beat(now: number) {
      if (isOpen && now >= of.until) return dismiss();
      if (!isOpen || now - wroteAt < limits.streamHeartbeatMs) return;
      if (!response.writableNeedDrain) {
        wroteAt = now;
        response.write(commentFrame('still here'));
        return;
      }
      // It keeps a place that another one wants; it goes on where it stopped when it comes back.
      if (now - wroteAt >= limits.streamStalledMs) response.destroy();
    },
    /** Spread, so that a gateway's readers do not all arrive at its neighbour in one moment. */
    farewell() {
      if (!isOpen) return;
      if (response.writableNeedDrain) response.destroy();
      else response.write(retryFrame(Math.round(limits.streamRetryMs * (0.25 + Math.random() * 0.75))));
      end();
    },
  };
};
