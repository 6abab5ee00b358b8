import { z } from 'zod';

/** What a resume seals on its way to the worker: a code, or a name with its password. */
export const sealedTextsSchema = z.record(z.string(), z.string());
export type SealedTexts = z.infer<typeof sealedTextsSchema>;
