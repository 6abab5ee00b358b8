import { z } from 'zod';
import { limits } from '../../contracts/limits';

const withoutControls = /^[^\u0000-\u001F\u007F-\u009F]*$/; // oxlint-disable-line no-control-regex -- they are what it is about

/**
 * A text of a path, a query or a header; every field of those is made of it, or matches something narrower. Postgres keeps no NUL, and no id, name, tag or
 * number has a control character in it.
 */
export const printableSchema = (most: number) => z.string().max(most).regex(withoutControls, 'must not hold control characters');

/** `nextCursor` of the last answer. */
export const cursorSchema = printableSchema(200).min(1);

/** Any UUID that Postgres takes, in lower case; versions are not our business. */
export const idSchema = z.guid().toLowerCase();

const isWithoutUserInfo = (text: string): boolean => {
  if (!URL.canParse(text)) return true;
  const { username, password } = new URL(text);
  return username === '' && password === '';
};

/** An address that a worker will open: kept as it is, so it may hold no user name or password. */
export const pageUrlSchema = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .max(2048)
  .refine(isWithoutUserInfo, 'must not contain a user name or password')
  .meta({ pattern: String.raw`^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@\s]+([/?#].*)?$` });

/** An address that we keep: its secrets are taken out before anything is stored. */
export const keptUrlSchema = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .max(2048)
  .meta({ pattern: '^[Hh][Tt][Tt][Pp][Ss]?://' });

/** With its pattern in the document: `format` alone allows addresses that are not taken. */
export const emailSchema = z.email().meta({ pattern: z.regexes.email.source });

/** Printable, and short enough for a header or an index. */
export const keySchema = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[\x20-\x7e]+$/, 'must be printable ASCII');

/** An id or a name of a neighbour, as long as the columns of its tables. */
export const textSchema = printableSchema(255).min(1);

export const instantSchema = z.iso.datetime();

/** A number in a path or query comes as text; the document says what it is, so that a client sends a number. */
export const wholeNumberSchema = ({ least, most }: { least: number; most: number }) => {
  const error = `must be a whole number from ${least} to ${most}`;
  return z
    .string()
    .regex(/^\d{1,16}$/, error)
    .transform(Number)
    .pipe(z.number().min(least, error).max(most, error))
    .meta({ type: 'integer', minimum: least, maximum: most, pattern: undefined });
};
export const countSchema = (most: number) => wholeNumberSchema({ least: 1, most });

/** What every list takes. */
export const pageFields = {
  limit: countSchema(limits.pageRowsMax).optional().meta({ description: 'Rows of a page.', default: limits.pageRowsDefault }),
  cursor: cursorSchema.optional().meta({ description: 'nextCursor of the last answer.' }),
};

/** `true` or `false` in a query. */
export const flagSchema = z
  .enum(['true', 'false'])
  .transform((word) => word === 'true')
  .meta({ type: 'boolean', enum: undefined });

/** One word of a list, or several: with commas between them as people write it, or the parameter once for each, as most programs send a list. */
export const listSchema = <Item extends string>(known: readonly Item[]) => {
  const isKnown = (word: string): boolean => (known as readonly string[]).includes(word);
  return z
    .union([z.string(), z.array(z.string())])
    .transform((words) => words.toString())
    .refine((words) => words.split(',').every(isKnown), `must be one or more of ${known.join(', ')}, with commas between them`)
    .transform((words) => known.filter((word) => words.split(',').includes(word)))
    .meta({ type: 'array', items: { type: 'string', enum: [...known] }, minItems: 1, anyOf: undefined });
};
