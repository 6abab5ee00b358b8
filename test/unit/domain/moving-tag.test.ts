import { isMovingTag, looksImmutable, rankImmutableTags } from '../../../src/domain/moving-tag';

const sha = '0f3c9a1be77d20c4a5f6b7c8d9e0f1a2b3c4d5e6';

it.each(['staging', 'latest', 'latest-staging'])('%s moves in staging', (tag) => {
  expect(isMovingTag(tag, 'staging')).toBe(true);
});

it.each([`staging-${sha}`, sha, 'v7', 'production', '1.2.3'])('%s does not move by its name in staging', (tag) => {
  expect(isMovingTag(tag, 'staging')).toBe(false);
});

it.each<[string, boolean]>([
  [sha, true],
  [`staging-${sha}`, true],
  [sha.slice(0, 7), true],
  ['1.2.3', true],
  ['v1.2.3-rc.1', true],
  ['1.2', false],
  ['v7', false],
  ['staging', false],
  ['latest', false],
  ['feedback', false],
])('%s: does it look immutable? %s', (tag, expected) => {
  expect(looksImmutable(tag)).toBe(expected);
});

it.each<[string, string[], string | null]>([
  ['staging', ['latest', 'staging'], null],
  ['staging', [sha, `staging-${sha}`], `staging-${sha}`],
  ['latest', [sha.slice(0, 7), sha], sha],
  ['1.2', ['1', '1.2', '1.2.3'], '1.2.3'],
  ['v7', ['v7', 'v8'], null],
])('%s beside %j means %s', (tag, others, expected) => {
  expect(rankImmutableTags(tag, others).at(0) ?? null).toBe(expected);
});

it.each<[string, string[]]>([
  ['its commit', [sha]],
  ['its commit in short', [sha.slice(0, 7)]],
  ['the tag itself', [`production-${sha}`]],
])('a tag comes first whose image speaks of %s', (_what, hints) => {
  const others = ['staging', 'staging-aaaaaaa', `production-${sha}`, '1.2.3'];
  expect(rankImmutableTags('staging', others, hints)).toEqual([`production-${sha}`, 'staging-aaaaaaa', '1.2.3']);
});

it('of two that an image speaks of, the better name comes first', () => {
  expect(rankImmutableTags('staging', [sha, 'staging-aaaaaaa', `staging-${sha}`], [sha])).toEqual([
    `staging-${sha}`,
    sha,
    'staging-aaaaaaa',
  ]);
});

it.each(['abc', 'staging', '', 'production'])('an image that speaks of %j changes no order', (hint) => {
  const others = [`staging-${sha}`, sha, '1.2.3'];
  expect(rankImmutableTags('staging', others, [hint])).toEqual(rankImmutableTags('staging', others));
});
