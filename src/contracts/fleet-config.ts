import { z } from 'zod';

/** One machine as FLEET_CONFIG or a fleet.json names it, in ATM's fields (atm §3). */
export const configuredServerSchema = z.object({
  id: z.string().regex(/^[\w.-]{1,100}$/, 'must be 1 to 100 letters, digits, dots, dashes or underscores'),
  name: z.string().min(1).max(200).optional(),
  /** What the dashboard puts before its paths; without it ours. */
  host: z.string().max(500).optional(),
  environment: z.string().min(1).max(50).optional(),
  region: z.string().max(50).optional(),
  ip: z.union([z.ipv4(), z.ipv6()], 'must be an IP address').nullish(),
  type: z.string().max(50).optional(),
  role: z.enum(['ghosthands', 'gh', 'atm'], 'must be ghosthands, gh or atm').default('ghosthands'),
  ec2InstanceId: z.string().min(1).max(100).nullish(),
});
export type ConfiguredServer = z.output<typeof configuredServerSchema>;

/** What could be read, and one sentence for each thing that could not. */
export interface FleetConfig {
  servers: ConfiguredServer[];
  problems: string[];
}

export const noFleetConfig: FleetConfig = { servers: [], problems: [] };
