import { Writable } from 'node:stream';
import { z } from 'zod';

const entrySchema = z.record(z.string(), z.unknown());

export interface LogLines {
  destination: Writable;
  /** As they were written. */
  lines: string[];
  /** What they say. */
  entries(): Record<string, unknown>[];
}

/** Where a log goes instead of standard output. */
export const collectLines = (lines: string[] = []): LogLines => ({
  destination: new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  }),
  lines,
  entries: () =>
    lines
      .join('')
      .split('\n')
      .filter(Boolean)
      .map((line) => entrySchema.parse(JSON.parse(line))),
});
