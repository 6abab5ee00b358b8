/** What Kamal's lock says of us: who took it, by which workflow, for which deploy. */
export interface LockMessage {
  installation: string;
  workflowId: string;
  deployId: string;
}

export const makeLockMessage = ({ installation, workflowId, deployId }: LockMessage): string => `${installation}/${workflowId}/${deployId}`;

const pattern = /^([\w.-]{1,100})\/(kamal-deploy-[a-z0-9_-]{1,130})\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** Null for the message of anybody else. */
export const parseLockMessage = (message: string): LockMessage | null => {
  const [, installation, workflowId, deployId] = pattern.exec(message.trim()) ?? [];
  if (installation === undefined || workflowId === undefined || deployId === undefined) return null;
  return { installation, workflowId, deployId };
};

/** Is a lock that Kamal tells of the one that this deploy took? Another moment under our words means that somebody released ours and wrote them anew. */
export const isLockOf = (
  { deployId, lockAt }: { deployId: string; lockAt: string | null },
  { message, at }: { message: string; at: string | null },
): boolean => parseLockMessage(message)?.deployId === deployId && (lockAt === null || at === lockAt);
