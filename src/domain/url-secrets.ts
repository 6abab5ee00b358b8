import { secretParameterNames } from './secret-patterns';

/** Parameter names, without case and punctuation, whose values are secrets (GH and VALET put the service secret into `?token=`: valet §1.4). */
const secretParts = ['token', 'secret', 'password', 'passwd', 'signature', 'credential', 'apikey', 'accesskey', 'authorization'];

/**
 * The URL without user-info, secret parameters and a fragment that holds one; everything else stays as it came. For addresses that we keep or
 * show. Not for what a worker must open: a presigned download needs its signature, and `token` is the posting's id on Greenhouse.
 */
export const withoutUrlSecrets = (text: string): string => {
  if (!URL.canParse(text)) return text;
  const url = new URL(text);
  const kept = url.search
    .slice(1)
    .split('&')
    .filter((pair) => !isSecretName(pair.split('=', 1)[0] ?? ''));
  const search = kept.join('&');
  const hasSecretFragment =
    url.hash.includes('=') &&
    url.hash
      .slice(1)
      .split('&')
      .some((pair) => isSecretName(pair.split('=', 1)[0] ?? ''));
  if (search === url.search.slice(1) && url.username === '' && url.password === '' && !hasSecretFragment) return text;
  url.username = '';
  url.password = '';
  url.search = search;
  if (hasSecretFragment) url.hash = '';
  return url.href;
};

/** The same for every address in a text. */
export const withoutUrlSecretsIn = (text: string): string => text.replace(/https?:\/\/[^\s"'<>]+/gi, withoutUrlSecrets);

/** The same for every address inside of a value, however deep. */
export const withoutUrlSecretsDeep = (value: unknown): unknown => {
  if (typeof value === 'string') return withoutUrlSecretsIn(value);
  if (Array.isArray(value)) return value.map(withoutUrlSecretsDeep);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withoutUrlSecretsDeep(item)]));
};

/** Fields with an address that somebody has to open, of a file or of a live browser: it is signed, and without its signature it is none. */
export const signedField = /screenshot|artifact|recording|video|resume|kasm/i;

/** The same for what a worker says of its page, in what we keep, mirror and send to the product. */
export const withoutPageSecrets = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null) return withoutUrlSecretsDeep(value);
  if (Array.isArray(value)) return value.map(withoutPageSecrets);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, signedField.test(name) ? item : withoutPageSecrets(item)]));
};

const isSecretName = (encoded: string): boolean => {
  const name = decode(encoded)
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '');
  return secretParameterNames.includes(name) || secretParts.some((part) => name.includes(part));
};

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    // A lone percent sign: the name is what it looks like.
    return text;
  }
};
