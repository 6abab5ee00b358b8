import type { LinePart } from '../domain/line-redact';
import { createPlainText } from './plain-text';

/**
 * Bytes in pieces → lines of plain text, the same wherever the pieces were cut. LF and CR LF end a line, and so does the end of the output. A lone CR
 * begins the line anew, as on a terminal: of a progress that rewrites its line, the last state is kept, when LF comes. Bytes that are no UTF-8
 * become U+FFFD. Memory is bounded by `charsMax`: a longer line comes in parts, which no character is cut by.
 */
export const createLines = ({ charsMax }: { charsMax: number }): { add(chunk: Buffer): LinePart[]; end(): LinePart[] } => {
  // A byte order mark is no reason to treat the first line differently.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const toPlainText = createPlainText();
  let line = '';
  let isRewritten = false;

  const split = (text: string): LinePart[] => {
    const parts: LinePart[] = [];
    for (const piece of toPlainText(text).split(/(\r|\n)/)) {
      if (piece === '\r') isRewritten = true;
      else if (piece === '\n') parts.push({ text: takeLine(), isCut: false });
      else if (piece !== '') parts.push(...lengthen(piece));
    }
    return parts;
  };

  const takeLine = (): string => {
    const taken = line;
    line = '';
    isRewritten = false;
    return taken;
  };

  const lengthen = (piece: string): LinePart[] => {
    line = isRewritten ? piece : line + piece;
    isRewritten = false;
    const parts: LinePart[] = [];
    while (line.length > charsMax) {
      const at = isLowSurrogate(line.charCodeAt(charsMax)) ? charsMax - 1 : charsMax;
      parts.push({ text: line.slice(0, at), isCut: true });
      line = line.slice(at);
    }
    return parts;
  };

  return {
    add: (chunk) => split(decoder.decode(chunk, { stream: true })),
    end() {
      const parts = split(decoder.decode());
      if (line !== '') parts.push({ text: takeLine(), isCut: false });
      return parts;
    },
  };
};

const isLowSurrogate = (code: number): boolean => code >= 0xdc_00 && code <= 0xdf_ff;
