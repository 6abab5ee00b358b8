/** How a program ended. The first reason wins: a command that is told to stop and then exits with 0 was stopped. */
export type ChildEnd =
  | { kind: 'exited'; code: number }
  | { kind: 'signalled'; signal: string }
  | { kind: 'timed_out' }
  | { kind: 'stopped' }
  | { kind: 'not_started'; problem: string }
  /** Its supervisor was killed; the command too, but how far it came is unknown. */
  | { kind: 'lost' };

/** `silent`: it wrote nothing for too long, and was ended. */
export type StreamedEnd = ChildEnd | { kind: 'silent' };

export const isSuccess = ({ end }: { end: StreamedEnd }): boolean => end.kind === 'exited' && end.code === 0;
