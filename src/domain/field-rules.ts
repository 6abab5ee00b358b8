import { uuidPattern } from '../contracts/ids';
import { whyUnreadable } from '../contracts/unreadable';
import { isStorable } from './exact-json';
import { cleanPersonText } from './person-text';

/** Why a value cannot be used, as the end of a sentence that its field begins. Never the value itself: it may be a secret in the wrong place. */
export class Unusable {
  constructor(readonly problem: string) {}
}

/** One field of what somebody has typed: its value as it is used from here on, or why it cannot be used. */
export type FieldRule<Value> = (given: unknown) => Value | Unusable;
export type FieldRules = Readonly<Record<string, FieldRule<unknown>>>;

type Values<Rules extends FieldRules> = {
  [Name in keyof Rules]: Rules[Name] extends (given: unknown) => infer Answer ? Exclude<Answer, Unusable> : never;
};

/** The fields of an input. */
export interface Shape<Needed extends FieldRules = FieldRules, Optional extends FieldRules = FieldRules> {
  /** Whose input it is, for people. */
  of: string;
  needed: Needed;
  optional: Optional;
}
export type Parsed<Needed extends FieldRules, Optional extends FieldRules> = Values<Needed> & Partial<Values<Optional>>;

export interface Parsing<Input> {
  /** What can be used of it; null when something is missing that it needs. */
  input: Input | null;
  /** What cannot be used, a sentence each. */
  problems: string[];
  /** Names that mean nothing here; the first few of them. */
  unknown: string[];
}

/** Takes what is usable of one JSON object. No payload at all is an empty one; an empty text, and null, of what is optional are nothing. */
export const parseFields = <Needed extends FieldRules, Optional extends FieldRules>(
  given: unknown,
  { needed, optional }: Pick<Shape<Needed, Optional>, 'needed' | 'optional'>,
): Parsing<Parsed<Needed, Optional>> => {
  const why = whyUnreadable(given);
  if (why !== null) return { input: null, problems: [cleanPersonText(why)], unknown: [] };
  if (given === undefined || given === null) return parseFields({}, { needed, optional });
  if (!isObject(given)) return { input: null, problems: ['it has to be one JSON object'], unknown: [] };
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  let isWhole = true;
  const take = (field: string, rule: FieldRule<unknown>): boolean => {
    const value = rule(Object.hasOwn(given, field) ? given[field] : undefined);
    if (value instanceof Unusable) problems.push(`${field} ${value.problem}`);
    else values[field] = value;
    return !(value instanceof Unusable);
  };
  for (const [field, rule] of Object.entries(needed)) isWhole = take(field, rule) && isWhole;
  for (const [field, rule] of Object.entries(optional)) {
    const value = Object.hasOwn(given, field) ? given[field] : undefined;
    if (value !== undefined && value !== null && value !== '') take(field, rule);
    // A text of which cleaning leaves nothing.
    if (values[field] === '') delete values[field];
  }
  const unknown = Object.keys(given).filter((field) => !Object.hasOwn(needed, field) && !Object.hasOwn(optional, field));
  return {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Each value is its rule's answer.
    input: isWhole ? (values as Parsed<Needed, Optional>) : null,
    problems,
    unknown: unknown.slice(0, unknownShownMax).map(cleanPersonText),
  };
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);

/** What a person typed: here it comes in, so here is taken out what no row, child or activity may hold. */
export const personText: FieldRule<string> = (given) =>
  typeof given === 'string' ? cleanPersonText(given) : new Unusable('has to be a text');

export const filledPersonText: FieldRule<string> = (given) => {
  const text = personText(given);
  return text === '' ? new Unusable('has to be a text that says something') : text;
};

/** A name of somebody else's making: another one than was meant is worse than none, so it is never repaired. */
export const name =
  (charsMax: number): FieldRule<string> =>
  (given) =>
    typeof given === 'string' && given !== '' && given.length <= charsMax && isStorable(given)
      ? given
      : new Unusable(`has to be a text of 1 to ${charsMax} characters`);

export const matching =
  (pattern: RegExp, what: string): FieldRule<string> =>
  (given) =>
    typeof given === 'string' && pattern.test(given) ? given : new Unusable(`has to be ${what}`);

/** As Postgres writes it, so that ids which are made of it are the same. */
export const uuid: FieldRule<string> = (given) =>
  typeof given === 'string' && uuidPattern.test(given) ? given.toLowerCase() : new Unusable('has to be a UUID');

export const wholeNumber =
  (min: number, max: number): FieldRule<number> =>
  (given) =>
    typeof given === 'number' && Number.isSafeInteger(given) && given >= min && given <= max
      ? given
      : new Unusable(`has to be a whole number from ${min} to ${max}, without quotes`);

/** "false" in quotes would be a yes. */
export const flag: FieldRule<boolean> = (given) =>
  typeof given === 'boolean' ? given : new Unusable('has to be true or false, without quotes');

export const oneOf =
  <const Value extends string>(values: readonly Value[]): FieldRule<Value> =>
  (given) =>
    values.find((value) => value === given) ?? new Unusable(`has to be one of ${values.join(', ')}`);

/** Somebody may send thousands, and cleaning takes its time. */
const unknownShownMax = 5;
