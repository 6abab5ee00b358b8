import { z } from 'zod';

export const machineSchema = z
  .strictObject({
    cpu: z.strictObject({ usagePercent: z.number(), cores: z.int() }),
    memory: z.strictObject({ usedMb: z.number(), totalMb: z.number(), usagePercent: z.number() }),
    disk: z.strictObject({ usedGb: z.number(), totalGb: z.number(), usagePercent: z.number() }),
  })
  .meta({ id: 'Machine' });
