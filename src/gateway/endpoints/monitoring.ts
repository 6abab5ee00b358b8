import { machineSchema } from '../compat/monitoring-schemas';
import type { Endpoint } from '../endpoint';

const tag = "The product's client";

/** The pages that the product's administration reads, in GH's words (ghosthands §1.3, §2.1). */
export const monitoringEndpoints = {
  machine: {
    method: 'get',
    path: '/monitoring/system',
    dialect: 'product',
    tag,
    summary: 'How busy our machine is',
    answers: { 200: { description: 'Of this process; the others tell theirs on METRICS_PORT.', schema: machineSchema } },
  },
} as const satisfies Record<string, Endpoint>;
