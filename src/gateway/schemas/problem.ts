import { z } from 'zod';
import { problemCodes } from '../../contracts/errors';

export const problemSchema = z
  .strictObject({
    type: z.string().meta({ example: 'urn:yardmaster:problem:invalid' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: 'What is wrong and what to change.' }),
    instance: z.string().meta({ description: 'The path, without its query.' }),
    code: z.enum(problemCodes),
    requestId: z.string(),
    errors: z.array(z.strictObject({ path: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457. The codes are explained in docs/errors.md.' });
