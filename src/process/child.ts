import type { ChildEnd } from '../domain/child-end';
import type { Redact } from '../domain/redact';
import { createOutputTail } from './output-tail';
import { streamChild, type StreamOrder } from './stream-child';

export interface ChildOrder extends Omit<StreamOrder, 'onChunk' | 'silentMs' | 'pidFile' | 'gracefulSignals'> {
  /** Of each of the two streams, its end is kept. */
  outputBytesMax: number;
  redact: Redact;
}

export interface ChildResult {
  end: ChildEnd;
  stdout: string;
  stderr: string;
  durationMs: number;
}

/** Runs a command to its end and gives what it wrote. It never rejects: every end is data. */
export const runChild = async ({ outputBytesMax, redact, ...order }: ChildOrder): Promise<ChildResult> => {
  const startedAt = performance.now();
  const tails = { stdout: createOutputTail({ bytesMax: outputBytesMax }), stderr: createOutputTail({ bytesMax: outputBytesMax }) };
  const end = await streamChild({ ...order, onChunk: (stream, chunk) => tails[stream].add(chunk) });
  return {
    end,
    stdout: tails.stdout.read(redact),
    stderr: tails.stderr.read(redact),
    durationMs: Math.round(performance.now() - startedAt),
  };
};
