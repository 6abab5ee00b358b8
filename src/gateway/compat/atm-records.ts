import type { DeployOutcome, DeployView, KamalAuditLine } from '../../contracts/deploy';

/** ATM's words where it has one (atm §2.5); the others are new, which its page shows in grey (atm §4.1). */
const statusOf: Readonly<Record<DeployOutcome, string>> = {
  succeeded: 'completed',
  planned: 'planned',
  refused: 'failed',
  rejected: 'rejected',
  aborted: 'failed',
  cancelled: 'cancelled',
  rolled_back: 'rolled_back',
  broken: 'failed',
};

const isWithoutError = (outcome: DeployOutcome | null): boolean => outcome === null || outcome === 'succeeded' || outcome === 'planned';

/** A deploy as ATM records it. */
export const toDeployRecord = (deploy: DeployView) => {
  const { outcome, endedAt, requestedAt, kind } = deploy;
  const imageTag = deploy.resolvedVersion ?? deploy.version;
  return {
    id: deploy.deployId,
    imageTag,
    previousImageTag: deploy.hosts.find(({ versionBefore }) => versionBefore !== null)?.versionBefore ?? null,
    commitSha: /(?:^|-)([0-9a-f]{7,40})$/.exec(imageTag)?.[1] ?? null,
    status: outcome === null ? 'deploying' : statusOf[outcome],
    startedAt: requestedAt,
    completedAt: endedAt,
    durationMs: endedAt === null ? null : Date.parse(endedAt) - Date.parse(requestedAt),
    error: isWithoutError(outcome) ? null : deploy.detail,
    triggeredBy: kind === 'rollback' ? 'rollback' : 'kamal',
    destination: deploy.destination,
    actor: deploy.actor,
    reason: deploy.reason,
  };
};

/** The dashboard colours `deploy` and `rollback`. */
export const toAuditEntry = ({ at, performer, destination, role, text }: KamalAuditLine) => ({
  timestamp: at,
  action: actionOf(text),
  performer,
  details: `[${[destination, role].filter((part) => part !== null).join(' ')}] ${text}`,
});

const actionOf = (text: string): string => {
  if (/roll(ed|ing)? ?back/i.test(text)) return 'rollback';
  if (/^(deploy|redeploy|boot)/i.test(text)) return 'deploy';
  return /^\w+/.exec(text)?.[0].toLowerCase() ?? 'unknown';
};
