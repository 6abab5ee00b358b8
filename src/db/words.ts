/** Words of a table of ours, for `in …`; written into the statement rather than passed, since partial indexes are chosen by them. */
export const inWords = (words: readonly string[]): string => `in (${words.map((word) => `'${word}'`).join(', ')})`;
