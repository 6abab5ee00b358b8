import type { RequestHandler } from 'express';
import { readMachine } from '../../metrics/machine';
import { answer } from '../endpoint';
import { endpoints } from '../endpoints';

type Names = 'machine';

/** What the product's administration reads of the fleet, where it would ask GH. */
export const createMonitoringRoutes = (): Record<Names, RequestHandler> => ({
  machine: answer(endpoints.machine, async () => ({ status: 200, body: await readMachine() })),
});
