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

/** All readers of a gateway: how many there may be, their heartbeats, and their end when the gateway drains. */
export interface Readers {
  /** Its headers and a first comment are on the wire when this returns. Refuses when there are too many, or the gateway drains. */
  admit(response: ServerResponse): Reader;
  count(): { open: number; stalled: number };
  /** Ends every stream cleanly; each comes back after a time of its own, here or elsewhere. */
  close(): void;
}

type ReaderLimits = Pick<Limits, 'logReadersMax' | 'streamHeartbeatMs' | 'streamStalledMs' | 'streamRetryMs'>;

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
    admit(response) {
      if (isClosed) throw new Problem('unavailable', 'This gateway ends; connect again', { headers: { 'Retry-After': '1' } });
      if (open.size >= limits.logReadersMax) {
        throw new Problem('too_many_readers', `${limits.logReadersMax} readers are connected already`, {
          headers: { 'Retry-After': '30' },
        });
      }
      const reader = openReader(response, limits);
      open.add(reader);
      response.once('close', () => forget(reader));
      // A fifteenth of the heartbeat late is nothing, and one timer serves all.
      heart ??= setInterval(beat, limits.streamHeartbeatMs / 15).unref();
      return reader;
    },
    count: () => ({ open: open.size, stalled: [...open].filter((reader) => reader.isStalled()).length }),
    close() {
      isClosed = true;
      for (const reader of open) reader.farewell();
    },
  };
};

const openReader = (response: ServerResponse, limits: ReaderLimits) => {
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

  return {
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
