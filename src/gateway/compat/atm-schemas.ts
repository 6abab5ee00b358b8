import { z } from 'zod';

/** Shapes and types as the dashboard relies on them (atm §5.2): it calls `.toFixed` on numbers, `.length` on strings, `Number()` on an uptime. */
export const atmErrorSchema = z
  .union([z.strictObject({ success: z.literal(false), message: z.string() }), z.strictObject({ error: z.string() })])
  .meta({ id: 'AtmError', description: "ATM's words for an error, by path." });
