/**
 * Which image tags move. A deploy of a tag that moves cannot be undone, since its name means the new image then (atm.md §0.2).
 *
 * - A destination's name and `latest` move, alone or together (`latest-staging` is what Kamal itself tags): by name.
 * - Any other tag moves that does not look immutable, while an immutable one with the same digest tells which image it is: `1.2` beside `1.2.3`.
 * - What looks immutable is: it ends in a commit's hash (GH pushes `<sha>` and `staging-<sha>`), or is a full version.
 *
 * What is none of these, such as `v7`, is taken for what it says.
 */
export const isMovingTag = (tag: string, destination: string): boolean =>
  tag === destination || tag === 'latest' || tag === `latest-${destination}`;

export const looksImmutable = (tag: string): boolean => /(?:^|-)[0-9a-f]{7,64}$/.test(tag) || /^v?\d+\.\d+\.\d+/.test(tag);

/** Of the tags with the digest of `tag`, the one that names its image best: GH's own `<tag>-<sha>` first, then the longest. */
export const pickImmutableTag = (tag: string, sameDigest: readonly string[]): string | null =>
  sameDigest
    .filter((other) => other !== tag && looksImmutable(other))
    .toSorted((a, b) => Number(b.startsWith(`${tag}-`)) - Number(a.startsWith(`${tag}-`)) || b.length - a.length || (a < b ? -1 : 1))
    .at(0) ?? null;
