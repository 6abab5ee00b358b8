import { workflowInfo } from '@temporalio/workflow';

/** Time to continue as new: a guard, not a rhythm. Histories are expected to stay below some hundred events; the server ends one of 51,200 or of 50 MB. */
export const isHistoryLong = (): boolean => workflowInfo().continueAsNewSuggested || workflowInfo().historyLength > 2_000;
