import type { StreamedEnd } from '../domain/child-end';

export interface KamalEnd {
  /** Never believed alone: exit codes lie in both directions (kamal §2). */
  end: StreamedEnd;
  /** What Kamal itself said last about its failure, whatever the exit code. */
  error: { class: string; message: string } | null;
  /** Standard output, redacted and without control characters; of a long one the end. */
  output: string;
  durationMs: number;
}
