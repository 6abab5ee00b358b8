import { createHash } from 'node:crypto';

/** Tells the same request under one idempotency key from another one: SHA-256 of its JSON with sorted keys. */
export const makeRequestHash = (request: unknown): string =>
  createHash('sha256')
    .update(JSON.stringify(sorted(request)))
    .digest('hex');

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  // Pairs, since an object would reorder keys that look like numbers and swallow `__proto__`.
  const pairs = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { pairs: pairs.map(([name, item]) => [name, sorted(item)]) };
};
