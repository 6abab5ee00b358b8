import type { Figure } from '../figures';
export const measureAssigning = (
  _url: string,
  _o: { endedJobs: number; rounds: number; deadlineMs: number; say(line: string): void },
): Promise<Figure[]> => Promise.resolve([]);
