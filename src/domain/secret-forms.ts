/** A shorter value is a word: hiding it everywhere would make the text unreadable, and say nothing safely. The configuration refuses such secrets. */
export const secretLengthMin = 8;

/** What is looked for of a secret: itself, since a file's value often ends in a line feed that nobody prints also without it, and each of its lines. */
export const listSecretValues = (secret: string): { whole: string[]; lines: string[] } => ({
  whole: [secret, secret.trim()].filter(isLongEnough),
  lines: linesOf(secret).filter(isLongEnough),
});

const isLongEnough = (value: string): boolean => value.length >= secretLengthMin;

/** A log shows one line at a time. The border lines of a key block are no secret, and the block is found by them. */
const linesOf = (secret: string): string[] =>
  secret.includes('\n')
    ? secret
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => !/^-----(BEGIN|END) /.test(line))
    : [];

/** What no undoing of escapes gives back: quotes that are doubled, or left and begun again, and the spaces of a form. */
export const listPlainForms = (value: string): string[] => [
  value,
  value.replaceAll("'", String.raw`'\''`),
  value.replaceAll("'", `'"'"'`),
  value.replaceAll("'", "''"),
  value.replaceAll('"', '""'),
  value.replaceAll(' ', '+'),
];
