import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

export type OutputStream = 'stdout' | 'stderr';

/** What is still in the pipes when the group has ended; a grandchild that left the group may hold them open for ever. */
const drainMs = 200;
/** A pipe holds 64 KiB and so does our side of it: whatever comes beyond was written by somebody who outlived the group. */
const drainBytesMax = 1_048_576;

export interface PumpOrder {
  streams: { stdout: Readable | null; stderr: Readable | null };
  onChunk: (stream: OutputStream, chunk: Buffer) => void | Promise<void>;
  /** The receiver wants no more; what still comes is read and thrown away, so that the command can end. */
  onRefused: () => void;
}

/** Carries two streams to their receiver at the receiver's pace. */
export const createPump = ({ streams, onChunk, onRefused }: PumpOrder) => {
  let bytes = 0;
  let handing = 0;
  let isRefused = false;
  let silence: NodeJS.Timeout | undefined;

  const hand = async (name: OutputStream, chunk: Buffer): Promise<void> => {
    if (isRefused) return;
    handing += 1;
    try {
      await onChunk(name, chunk);
    } catch {
      // Whoever rejects knows why; for the command it is the end.
      isRefused = true;
      onRefused();
    }
    handing -= 1;
  };

  const carry = async (name: OutputStream): Promise<void> => {
    const chunks: AsyncIterable<Buffer> = streams[name] ?? noChunks();
    try {
      for await (const chunk of chunks) {
        bytes += chunk.length;
        silence?.refresh();
        await hand(name, chunk);
        // The time in which we did not read is not the command's silence.
        silence?.refresh();
      }
    } catch {
      // Destroyed at the end, below.
    }
  };
  const carried = Promise.all([carry('stdout'), carry('stderr')]);

  return {
    watchSilence(silentMs: number, onSilent: () => void): void {
      silence = setTimeout(() => (handing > 0 ? silence?.refresh() : onSilent()), silentMs);
    },

    /** After the end of the group: hands over what is left, and lets go of pipes that somebody else holds. */
    async finish(): Promise<void> {
      clearTimeout(silence);
      // Otherwise its next refresh would start it again.
      silence = undefined;
      const bytesMax = bytes + drainBytesMax;
      let isDone = false;
      void carried.then(() => (isDone = true));
      for (let seen = -1; !isDone && (seen !== bytes || handing > 0) && bytes < bytesMax;) {
        seen = bytes;
        await Promise.race([carried, delay(drainMs)]);
      }
      streams.stdout?.destroy();
      streams.stderr?.destroy();
      await carried;
    },
  };
};

// oxlint-disable-next-line require-yield
async function* noChunks(): AsyncGenerator<Buffer> {}
