import { z } from 'zod';
import { cleanPersonText, personTextCharsMax } from '../../domain/person-text';

/** What a person tells other people: a note. Cleaned here, before anything is stored, answered or passed on. */
export const noteSchema = z.string().max(personTextCharsMax).overwrite(cleanPersonText);

/** The same where something has to be said. */
export const reasonSchema = noteSchema.min(1);
