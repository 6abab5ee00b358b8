import { z } from 'zod';
import { cleanPersonText, personTextCharsMax } from '../../domain/person-text';

/** What a person tells other people: a note. Cleaned here, before anything is stored, answered or passed on. */
export const noteSchema = z.string().max(personTextCharsMax).overwrite(cleanPersonText);

/** The same where it must not be empty; the pattern is for /openapi.json: at least one character that is seen. */
export const reasonSchema = noteSchema
  .min(1)
  .meta({ pattern: String.raw`[^\s\u0000-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069\uFEFF]` });
