/**
 * Longer than any title or link that a program sends to a terminal; a sequence that does not end by then was none, and what follows is text again.
 */
const sequenceLengthMax = 4_096;

type State =
  | 'text'
  /** After ESC. */
  | 'escape'
  /** ESC [ parameters … a letter: colours, cursor. */
  | 'control'
  /** ESC ] … BEL or ESC \: titles, links; and the other kinds of strings. */
  | 'string'
  | 'string_escape';

/** Control characters besides tab, line feed and carriage return, with those that begin a sequence. */
const control = /(?![\t\n\r])\p{Cc}/u;

/**
 * Takes terminal sequences and control characters out of a text that comes in pieces, wherever they were cut. A control character is dropped, not
 * replaced: a secret that was written with one inside is recognised afterwards, and Postgres refuses NUL. Node's stripVTControlCharacters wants the
 * whole text, eats the letter after `ESC 8`, and leaves most of a title without an end and of a colour with colons.
 */
export const createPlainText = (): ((piece: string) => string) => {
  let state: State = 'text';
  let length = 0;

  /** What stays of a character. */
  const pass = (character: string): string => {
    // A line ends whatever was going on: no sequence that we know of spans two lines.
    if (character === '\n' || character === '\r') {
      state = 'text';
      return character;
    }
    if (state !== 'text') {
      length += 1;
      state = length > sequenceLengthMax ? 'text' : follow(state, character);
      return '';
    }
    state = begin(character);
    length = 0;
    return state === 'text' && (character === '\t' || !control.test(character)) ? character : '';
  };

  return (piece) => (state === 'text' && !control.test(piece) ? piece : Array.from(piece, pass).join(''));
};

const begin = (character: string): State => {
  switch (character) {
    case '\x1b':
      return 'escape';
    // The same in one character (C1): CSI, and DCS, SOS, OSC, PM, APC.
    case '\x9b':
      return 'control';
    case '\x90':
    case '\x98':
    case '\x9d':
    case '\x9e':
    case '\x9f':
      return 'string';
    default:
      return 'text';
  }
};

const follow = (state: State, character: string): State => {
  switch (state) {
    case 'escape':
      if (character === '[') return 'control';
      if ('PX]^_'.includes(character)) return 'string';
      // Such as the `(` of a character set, which one more follows.
      return character >= ' ' && character <= '/' ? 'escape' : begin(character);
    case 'control':
      return character === '\x1b' ? 'escape' : character >= '@' && character <= '~' ? 'text' : 'control';
    case 'string':
      if (character === '\x07' || character === '\x9c') return 'text';
      return character === '\x1b' ? 'string_escape' : 'string';
    case 'string_escape':
      // ESC \ ends the string; another sequence does so too.
      return character === '\\' ? 'text' : follow('escape', character);
    case 'text':
      return 'text';
  }
};
