/** A shorter value is a word: hiding it everywhere would make the text unreadable, and say nothing safely. The configuration refuses such secrets. */
export const secretLengthMin = 8;

/**
 * All that a secret may look like in an output: as it is, each of its lines, as part of a URL, escaped for JSON or a shell, and in base64, also where
 * the base64 is of something longer. Too short ones have no form.
 */
export const listSecretForms = (secret: string): string[] => {
  // A file's value often ends in a line feed that nobody prints.
  const values = [secret, secret.trim(), ...linesOf(secret)].filter((value) => value.length >= secretLengthMin);
  return [...new Set(values.flatMap((value) => [value, ...urlForms(value), ...escapedForms(value), ...base64Forms(value)]))];
};

/** A log shows one line at a time. The border lines of a key block are no secret, and the block is found by them. */
const linesOf = (secret: string): string[] =>
  secret.includes('\n')
    ? secret
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => !/^-----(BEGIN|END) /.test(line))
    : [];

/** As JavaScript writes it, as others do (RFC 3986), in small letters, and as a form does. */
const urlForms = (value: string): string[] => {
  const usual = encodeURIComponent(value);
  const strict = usual.replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  return [usual, strict, strict.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()), strict.replaceAll('%20', '+')];
};

const escapedForms = (value: string): string[] => [
  JSON.stringify(value).slice(1, -1),
  // Shellwords.escape of Ruby, and the inside of single quotes.
  value.replace(/[^\p{L}\p{N}_\-.,:+/@]/gu, String.raw`\$&`),
  value.replaceAll("'", String.raw`'\''`),
];

/**
 * Of base64, three neighbouring bytes make four characters, so a value inside of something longer has three forms. Each begins and ends with the
 * characters that are the value's alone: at either end, less than one byte of it may stay.
 */
const base64Forms = (value: string): string[] => {
  const bytes = new TextEncoder().encode(value);
  return [0, 1, 2].flatMap((before) => {
    const encoded = btoa(String.fromCharCode(...new Uint8Array(before), ...bytes));
    const own = encoded.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')];
  });
};
