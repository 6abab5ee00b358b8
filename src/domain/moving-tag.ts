/**
 * Which image tags move. A deploy of a tag that moves cannot be undone, since its name means the new image then (atm §2.6).
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

/**
 * The tags that `tag` may mean, the one that would name its image best first: GH's own `<tag>-<sha>`, then the longest. Those that the image itself speaks of (`hints`: values of its labels and its environment) come before
 * all others, since each digest is a request to the registry, which keeps thousands of tags and does not tell their age.
 */
export const rankImmutableTags = (tag: string, others: readonly string[], hints: readonly string[] = []): string[] => {
  const spoken = new Set(others.filter((other) => hints.some((hint) => isNameOf(hint, other))));
  const rank = (other: string): number => (spoken.has(other) ? 2 : 0) + Number(other.startsWith(`${tag}-`));
  return others
    .filter((other) => other !== tag && looksImmutable(other))
    .toSorted((a, b) => rank(b) - rank(a) || b.length - a.length || (a < b ? -1 : 1));
};

/** The tag itself, or the commit at its end, of which one of the two may be short. */
const isNameOf = (hint: string, tag: string): boolean => {
  if (hint === tag) return true;
  const commit = /(?:^|-)([0-9a-f]{7,64})$/.exec(tag)?.[1];
  return commit !== undefined && commitPattern.test(hint) && (hint.startsWith(commit) || commit.startsWith(hint));
};
const commitPattern = /^[0-9a-f]{7,64}$/;
