import { ApplicationFailure } from '@temporalio/common';
import { failureTypes } from '../src/contracts/errors';
import { findRefusal, isPermanentRefusal } from '../src/db/outage';
import type { Log } from '../src/log';

/**
 * Around every activity: what Postgres refuses for good is not tried again, or the step, and every message behind it, would wait for ever. An outage, a race
 * and whatever else fails keep being tried. Postgres' message goes nowhere, since it repeats the value, which may be about a person; its own log has it.
 */
export const endWhatIsRefused = <Activities extends object>(activities: Activities, log: Log): Activities => {
  const wrapped = Object.entries(activities).map(([name, activity]: [string, (...args: unknown[]) => Promise<unknown>]) => [
    name,
    async (...args: unknown[]): Promise<unknown> => {
      try {
        return await activity(...args);
      } catch (error) {
        if (!isPermanentRefusal(error)) throw error;
        const { code, constraint } = findRefusal(error) ?? { code: '', constraint: null };
        log.error('Postgres refuses what a step would write, for good', { activity: name, code, constraint });
        throw ApplicationFailure.nonRetryable(
          `Postgres refuses what ${name} would write: SQLSTATE ${code}${constraint === null ? '' : `, ${constraint}`}`,
          failureTypes.refusedByDatabase,
        );
      }
    },
  ]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The same names, and functions of the same shape.
  return Object.fromEntries(wrapped) as Activities;
};
