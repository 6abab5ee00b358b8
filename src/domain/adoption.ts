import { jobTypes } from '../contracts/job';
import { withoutUrlSecrets } from './url-secrets';

/** A claimable row that another producer inserted (valet §3.2), as far as it decides about taking it over. No personal data. */
export interface AdoptableRow {
  jobId: string;
  jobType: string;
  targetUrl: string;
  timeoutSeconds: number;
  priority: number;
  inputKind: string;
  callbackUrl: string | null;
}

export interface Adoption {
  jobId: string;
  callbackUrl: string | null;
}

/** A row that breaks the limits of our own API is named with its field, and left as it is. */
export const judgeAdoption = (row: AdoptableRow): { adopt: Adoption } | { problem: string } => {
  const problem =
    (isJobType(row.jobType) ? null : 'job_type: no type that we know') ??
    (isWebAddress(row.targetUrl) ? null : 'target_url: no web address') ??
    (between(row.timeoutSeconds, 1, timeoutSecondsMax) ? null : `timeout_seconds: not within 1 and ${timeoutSecondsMax}`) ??
    (between(row.priority, 1, 10) ? null : 'priority: not within 1 and 10') ??
    (row.inputKind === 'object' ? null : 'input_data: no object') ??
    (row.callbackUrl === null || isWebAddress(row.callbackUrl) ? null : 'callback_url: no web address');
  if (problem !== null) return { problem };
  return { adopt: { jobId: row.jobId, callbackUrl: row.callbackUrl === null ? null : withoutUrlSecrets(row.callbackUrl) } };
};

/** GH's own limit on staging (ghosthands §1.3). */
const timeoutSecondsMax = 3_600;

const between = (value: number, least: number, most: number): boolean => Number.isInteger(value) && value >= least && value <= most;
const isJobType = (word: string): boolean => jobTypes.some((type) => type === word);
const isWebAddress = (text: string): boolean => text.length <= 2_048 && /^https?:$/.test(URL.canParse(text) ? new URL(text).protocol : '');
