import { defaultStrategy, strategyBounds, type DeployStrategy } from '../contracts/deploy';

/** What is wrong with a strategy that somebody typed; null: nothing is. */
export const findStrategyProblem = (strategy: DeployStrategy): string | null => {
  const unknown = Object.keys(strategy).find((name) => !Object.hasOwn(defaultStrategy, name));
  if (unknown !== undefined) return `strategy has no field ${unknown}`;
  const values: Readonly<Record<string, unknown>> = { ...strategy };
  for (const [name, { least, most }] of Object.entries(strategyBounds)) {
    const value = Number.isInteger(values[name]) ? Number(values[name]) : Number.NaN;
    if (!(value >= least && value <= most)) return `strategy.${name} must be a whole number from ${least} to ${most}`;
  }
  if (strategy.onDrainDeadline !== 'abort' && strategy.onDrainDeadline !== 'force')
    return 'strategy.onDrainDeadline must be abort or force';
  if (strategy.onMixedFleet !== 'keep_verified' && strategy.onMixedFleet !== 'put_back')
    return 'strategy.onMixedFleet must be keep_verified or put_back';
  return typeof strategy.needsApproval === 'boolean' ? null : 'strategy.needsApproval must be true or false';
};
