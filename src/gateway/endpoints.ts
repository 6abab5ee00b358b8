import { atmEndpoints } from './endpoints/atm';
import { commandEndpoints } from './endpoints/commands';
import { atmDeployEndpoints } from './endpoints/atm-deploys';
import { deployEndpoints } from './endpoints/deploys';
import { fleetEndpoints } from './endpoints/fleet';
import { jobEndpoints } from './endpoints/jobs';
import { monitoringEndpoints } from './endpoints/monitoring';
import { operationsEndpoints } from './endpoints/operations';
import { productEndpoints } from './endpoints/product';
import { sessionEndpoints } from './endpoints/session';

/** Every path of the gateway. What is not in here has no handler, no role and no line in /openapi.json. */
export const endpoints = {
  ...jobEndpoints,
  ...commandEndpoints,
  ...fleetEndpoints,
  ...deployEndpoints,
  ...sessionEndpoints,
  ...atmDeployEndpoints,
  ...operationsEndpoints,
  ...productEndpoints,
  ...monitoringEndpoints,
  ...atmEndpoints,
} as const;

export type EndpointName = keyof typeof endpoints;

const isEndpointName = (name: string): name is EndpointName => name in endpoints;
export const endpointNames: readonly EndpointName[] = Object.keys(endpoints).filter(isEndpointName);
