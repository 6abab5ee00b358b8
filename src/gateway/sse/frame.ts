/** Server-sent events as text (WHATWG HTML §9.2). Data is always JSON of ours, so it holds no line break. */
export const eventFrame = ({ id, event, data }: { id?: string | number; event?: string; data: unknown }): string =>
  `${id === undefined ? '' : `id: ${id}\n`}${event === undefined ? '' : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`;

/** What a reader ignores, and what keeps a proxy from thinking that the connection is dead. */
export const commentFrame = (words: string): string => `: ${words}\n\n`;

/** How long an EventSource waits before it connects again. */
export const retryFrame = (ms: number): string => `retry: ${ms}\n\n`;

/** The id of an `end` event: its reader has seen everything, and a reconnect under it has nothing to come for. */
export const endId = (lastSeq: number): string => `${lastSeq}.end`;

const lastEventIdPattern = /^(\d{1,15})(\.end)?$/;

/** Where a reader stopped; null for an id that is none of ours. */
export const parseLastEventId = (text: string): { after: number; hasSeenEnd: boolean } | null => {
  const [, seq, end] = lastEventIdPattern.exec(text) ?? [];
  return seq === undefined ? null : { after: Number(seq), hasSeenEnd: end !== undefined };
};
