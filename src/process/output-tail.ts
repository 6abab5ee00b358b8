import type { Redact } from '../domain/redact';

/** Longer than any secret on one line that we know of: a cut that falls into one must not leave its second half readable. */
const secretLengthMax = 4_096;

/** Said in the place of what was left out. */
const cutMark = '[earlier output left out]\n';

/** The end of a stream, in bounded memory: a command that floods its output costs nothing, and what failed stands at the end. */
export const createOutputTail = ({ bytesMax }: { bytesMax: number }): { add(chunk: Buffer): void; read(redact: Redact): string } => {
  let chunks: Buffer[] = [];
  let bytes = 0;
  let isCut = false;

  return {
    add(chunk) {
      chunks.push(chunk);
      bytes += chunk.length;
      // Kept in one piece now and then, so that a flood of single bytes is no list of millions.
      if (bytes < 2 * bytesMax && chunks.length < 1_024) return;
      const all = Buffer.concat(chunks);
      isCut ||= all.length > bytesMax;
      // A copy: a view would keep the whole piece in memory.
      chunks = [Buffer.from(all.subarray(Math.max(0, all.length - bytesMax)))];
      bytes = chunks[0]?.length ?? 0;
    },

    read(redact) {
      const all = Buffer.concat(chunks);
      const kept = all.subarray(Math.max(0, all.length - bytesMax));
      if (!isCut && kept.length === all.length) return redact(kept.toString('utf8'));
      return cutMark + fromSafePlace(redact(kept.toString('utf8')));
    },
  };
};

/**
 * Begins after the half of a line, of a secret or of a key block that a cut has left. The rest is redacted before, so that this second cut falls
 * into nothing that was still to be recognised.
 */
const fromSafePlace = (redacted: string): string => {
  const newline = redacted.slice(0, secretLengthMax).indexOf('\n');
  const text = redacted.slice(newline === -1 ? secretLengthMax : newline + 1);
  const [beforeEnd, afterEnd] = splitOnce(text, /-----END [A-Z0-9 ]{0,30}PRIVATE KEY-----/);
  return afterEnd === null || beforeEnd.includes('PRIVATE KEY-----') ? text : afterEnd;
};

const splitOnce = (text: string, pattern: RegExp): [string, string | null] => {
  const found = pattern.exec(text);
  return found === null ? [text, null] : [text.slice(0, found.index), text.slice(found.index + found[0].length)];
};
