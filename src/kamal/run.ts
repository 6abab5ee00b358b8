import type { StreamedEnd } from '../domain/child-end';

export interface KamalEnd {
  /** Never believed alone: exit codes lie in both directions (kamal §2). */
  end: StreamedEnd;
  /** What Kamal itself said last about its failure, whatever the exit code. */
  error: { class: string; message: string } | null;
  /** A hook of their project that still ran when the command was ended. */
  hook: HangingHook | null;
  /**
   * Standard output without secrets and control characters, to be read for facts; of a long one the end. Nothing is left out that merely looks like the
   * beginning of one: it would be the end of a version or of a lock's message once in some ten thousand, and those are compared.
   */
  output: string;
  durationMs: number;
  /** Of a command that is run for each host by itself: what became of each. */
  answers: HostAnswer[];
}

export interface HostAnswer extends Pick<KamalEnd, 'end' | 'error' | 'hook'> {
  host: string;
}

export interface HangingHook {
  name: string;
  /** The end of what it had said, redacted: perhaps a question. */
  said: string;
}
