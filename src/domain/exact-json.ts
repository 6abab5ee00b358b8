/**
 * What JSON can say and JavaScript or Postgres would keep as something else: a number beyond what a double holds, a name given twice, `__proto__`, NUL, half
 * of a surrogate pair. A parser changes each of them silently, so they are searched for in the text. `context.source` of a reviver, which would
 * show the same of numbers, came after Node 20.
 */
export interface JsonLoss {
  path: readonly string[];
  message: string;
}

interface Container {
  /** Null in an array. */
  names: Set<string> | null;
  /** Of what comes next: the name that a colon follows, or the place in the array. */
  at: string;
}

const depthMax = 32;
/** Whoever gets fifty wants no more. */
const lossesMax = 50;

/**
 * Of a text that JSON.parse has taken; it costs one pass and no stack, however deep the text goes. `isKept`: of which fields of the whole it matters, so that
 * those of the others, which are dropped, do not fill the list.
 */
export const findJsonLosses = (text: string, isKept: (field: string) => boolean = () => true): JsonLoss[] => {
  const losses: JsonLoss[] = [];
  const stack: Container[] = [];
  let isTooDeep = false;

  const lose = (message: string, levels = stack.length): void => {
    if (losses.length >= lossesMax) return;
    const path = stack.slice(0, Math.min(levels, depthMax)).map(({ at }) => at);
    if (path[0] === undefined || isKept(path[0])) losses.push({ path, message });
  };
  const open = (container: Container): void => {
    stack.push(container);
    if (stack.length <= depthMax || isTooDeep) return;
    isTooDeep = true;
    lose(`is nested deeper than ${depthMax} levels`, 5);
  };
  const takeName = (container: Container, names: Set<string>, name: string): void => {
    container.at = name;
    if (!isStorable(name)) lose('has a field name with a character that no text may hold', stack.length - 1);
    else if (name === '__proto__') lose('is a name that no field may have');
    else if (names.has(name)) lose('is there twice');
    names.add(name);
  };

  for (let index = 0; index < text.length;) {
    const container = stack.at(-1);
    switch (text.charAt(index)) {
      case '{':
        open({ names: new Set(), at: '' });
        index++;
        continue;
      case '[':
        open({ names: null, at: '0' });
        index++;
        continue;
      case '}':
      case ']':
        stack.pop();
        index++;
        continue;
      case ',':
        if (container?.names === null) container.at = String(Number(container.at) + 1);
        index++;
        continue;
      case '"': {
        const end = findEndOfString(text, index);
        const content = readString(text.slice(index, end));
        index = end;
        if (container !== undefined && container.names !== null && isName(text, end)) takeName(container, container.names, content);
        else if (!isStorable(content)) lose('contains a character that no text may hold (NUL or half a pair)');
        continue;
      }
      default:
        break;
    }
    numberPattern.lastIndex = index;
    const [number] = numberPattern.exec(text) ?? [];
    if (number !== undefined && !isExact(number)) lose('is a number that cannot be kept as it is: send it as a text');
    index += number?.length ?? 1;
  }
  return losses;
};

const numberPattern = /-?\d[\d.eE+-]*/y;

const findEndOfString = (text: string, start: number): number => {
  for (let index = start + 1; index < text.length; index++) {
    if (text[index] === '\\') index++;
    else if (text[index] === '"') return index + 1;
  }
  return text.length;
};

const readString = (quoted: string): string => {
  if (!quoted.includes('\\')) return quoted.slice(1, -1);
  const content: unknown = JSON.parse(quoted);
  return String(content);
};

const isName = (text: string, end: number): boolean => {
  let index = end;
  while (/\s/.test(text[index] ?? '')) index++;
  return text[index] === ':';
};

/** Postgres keeps no NUL and no half of a surrogate pair, in text as in jsonb. */
export const isStorable = (text: string): boolean => !text.includes('\0') && !/\p{Surrogate}/u.test(text);

/** A double is written in 25 characters at most, or in as many zeros as somebody likes: beyond this nobody means a number. */
const numberCharsMax = 100;

/** Does the nearest double stand for this very decimal? `0.1`, `1e3` and `1.50` are kept, `9007199254740993` and `1e400` are not. */
const isExact = (number: string): boolean => {
  if (number.length > numberCharsMax) return false;
  const value = Number(number);
  return Number.isFinite(value) && decimalOf(number) === decimalOf(String(value));
};

/** One spelling of each decimal: its digits without zeros around them, and the power of ten. */
const decimalOf = (number: string): string => {
  const [mantissa = '', exponent = '0'] = number.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.');
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  const power = Number(exponent) - fraction.length + digits.length - significant.length;
  return `${mantissa.startsWith('-') ? '-' : ''}${significant}e${power}`;
};
