import { defaultStrategy, type DeployStrategy } from '../contracts/deploy';

/** Days, which is how long a lock, a hold and a person's attention may be asked for. */
const secondsMax = 7 * 86_400;
const hostsMax = 1_000;

/** What is wrong with a strategy that somebody typed; null: nothing is. */
export const findStrategyProblem = (strategy: DeployStrategy): string | null => {
  const unknown = Object.keys(strategy).find((name) => !(name in defaultStrategy));
  if (unknown !== undefined) return `strategy has no field ${unknown}`;
  for (const name of ['canaryHosts', 'batchHosts'] as const) {
    if (!isWhole(strategy[name], hostsMax)) return `strategy.${name} must be a whole number from 0 to ${hostsMax}`;
  }
  for (const name of ['soakSeconds', 'drainSeconds', 'approvalSeconds'] as const) {
    if (!isWhole(strategy[name], secondsMax)) return `strategy.${name} must be a whole number from 0 to ${secondsMax}`;
  }
  if (strategy.onDrainDeadline !== 'abort' && strategy.onDrainDeadline !== 'force')
    return 'strategy.onDrainDeadline must be abort or force';
  return typeof strategy.needsApproval === 'boolean' ? null : 'strategy.needsApproval must be true or false';
};

const isWhole = (value: unknown, max: number): boolean => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= max;
