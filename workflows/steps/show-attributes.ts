import { upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { searchAttributes } from '../../src/contracts/messages';

/** Attributes to search by, under their names. Each upsert is an event and a write of the visibility store: only what changed. */
export const showAttributes = (wanted: Partial<Record<string, string>>): void => {
  const present = new Map(
    workflowInfo()
      .typedSearchAttributes.getAll()
      .map(({ key, value }) => [key.name, value]),
  );
  const changed = Object.values(searchAttributes).flatMap((key) => {
    const value = wanted[key.name];
    return value === undefined || present.get(key.name) === value ? [] : [{ key, value }];
  });
  if (changed.length > 0) upsertSearchAttributes(changed);
};
