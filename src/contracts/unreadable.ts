/**
 * What a payload becomes that nobody here can read: an encoding that nobody knows, or text that is not what its encoding says. Anybody can send one
 * (`temporal workflow signal --input-meta encoding=…`), and without this it would fail the workflow task for ever.
 */
export interface Unreadable {
  unreadablePayload: string;
}

export const makeUnreadable = (why: string): Unreadable => ({ unreadablePayload: why });

/** Why it cannot be read; null for everything else. */
export const whyUnreadable = (value: unknown): string | null => {
  if (typeof value !== 'object' || value === null || !('unreadablePayload' in value)) return null;
  return typeof value.unreadablePayload === 'string' ? value.unreadablePayload : null;
};
