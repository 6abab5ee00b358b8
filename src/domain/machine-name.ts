/**
 * One address in several spellings is one machine: names of machines are compared, and kept, in this spelling alone. Postgres does the same for what
 * stands in tables of our neighbours (`yardmaster.machine_name`, over which a test compares the two).
 *
 * Leading zeros are decimal: people pad addresses with them, and nobody writes one in octal digits.
 */
export const machineName = (text: string): string => {
  const small = text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  if (ipv4.test(small)) return withoutZeros(small);
  if (ipv6.test(small)) return toAddress(toWords(withoutZeros(small)));
  return namePattern.test(small) ? small : text;
};

/** Of what another source may not have said. */
export const machineNameOf = <Text extends string | null | undefined>(text: Text): Text | string =>
  typeof text === 'string' ? machineName(text) : text;

const octet = '0*(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])';
const dotted = `${octet}(?:\\.${octet}){3}`;
const group = '[0-9a-f]{1,4}';
const ipv4 = new RegExp(`^${dotted}$`);
/** Eight groups, the last two of which may be dotted; or fewer, around `::`. */
const ipv6 = new RegExp(
  `^(?:(?:${group}:){7}${group}|(?:${group}:){6}${dotted}` +
    `|(?!:*${group}(?::+${group}){7})(?!:*${group}(?::+${group}){5}:+${dotted}$)(?:${group}(?::${group})*)?::(?:(?:${group}:)*(?:${group}|${dotted}))?)$`,
);
/** An instance of EC2, or a name with its domain. Any other name may be one in which capitals count, and stays what it is. */
const namePattern = /^(?:i-[0-9a-f]+|[0-9a-z_-]+(?:\.[0-9a-z_-]+)+)$/;

const withoutZeros = (small: string): string => small.replace(/(^|[.:])0+(?=[0-9a-f])/g, '$1');

const toWords = (small: string): number[] => {
  const [head = '', tail = ''] = small.split('::');
  const [before, after] = [wordsOf(head), wordsOf(tail)];
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
};

const wordsOf = (groups: string): number[] =>
  groups === '' ? [] : groups.split(':').flatMap((each) => (each.includes('.') ? wordsOfDotted(each) : [parseInt(each, 16)]));

const wordsOfDotted = (address: string): number[] => {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return [a * 256 + b, c * 256 + d];
};

/** As Postgres writes it, but for an IPv4 address in the clothes of IPv6, which is that IPv4 address. */
const toAddress = (words: readonly number[]): string => {
  const last = words
    .slice(6)
    .flatMap((word) => [word >> 8, word & 255])
    .join('.');
  const { at, length } = findZeros(words);
  if (at === 0 && length === 5 && words[5] === 0xffff) return last;
  const text = (part: readonly number[]): string => part.map((word) => word.toString(16)).join(':');
  if (length < 2) return text(words);
  if (at === 0 && length === 6) return `::${last}`;
  return `${text(words.slice(0, at))}::${text(words.slice(at + length))}`;
};

/** The longest run of zeros, the first of several. */
const findZeros = (words: readonly number[]): { at: number; length: number } => {
  let best = { at: 0, length: 0 };
  for (let at = 0; at < words.length; at++) {
    const end = words.findIndex((word, index) => index >= at && word !== 0);
    const length = (end === -1 ? words.length : end) - at;
    if (length > best.length) best = { at, length };
  }
  return best;
};
