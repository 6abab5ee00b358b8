import { request, type IncomingMessage } from 'node:http';

/** Many readers of one log in this process, as cheap as they can be: numbers are checked, nothing is kept. */
export interface LogReaders {
  /** Lines that came out of order, twice, or not at all between two others. */
  faults(): number;
  /** The fewest lines that any of them has. */
  least(): number;
  latenciesMs: number[];
  /** All have seen the end. */
  ended: Promise<void>;
  goOn(): void;
  cut(): void;
}

export const openLogReaders = async (
  url: string,
  { count, headers = {}, isStalled = false }: { count: number; headers?: Record<string, string>; isStalled?: boolean },
): Promise<LogReaders> => {
  const latenciesMs: number[] = [];
  const readers = await Promise.all(
    Array.from({ length: count }, async (_, index) => await openReader(url, headers, index % 25 === 0 ? latenciesMs : null)),
  );
  if (isStalled) for (const { response } of readers) response.pause();
  return {
    faults: () => readers.reduce((sum, reader) => sum + reader.faults(), 0),
    least: () => Math.min(...readers.map((reader) => reader.last())),
    latenciesMs,
    ended: Promise.all(readers.map(async ({ ended }) => await ended)).then(() => undefined),
    goOn: () => readers.forEach(({ response }) => response.resume()),
    cut: () => readers.forEach(({ response }) => response.destroy()),
  };
};

const openReader = async (url: string, headers: Record<string, string>, latenciesMs: number[] | null) => {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(url, { headers, agent: false }, resolve);
    sent.on('error', reject);
    sent.end();
  });
  if (response.statusCode !== 200) throw new Error(`a reader got ${response.statusCode}`);
  let [last, faults, rest] = [0, 0, ''];
  let settle = (): void => undefined;
  const ended = new Promise<void>((resolve) => (settle = resolve));
  response.setEncoding('latin1');
  response.on('data', (chunk: string) => {
    const text = rest + chunk;
    const end = text.lastIndexOf('\n\n') + 2;
    rest = text.slice(Math.max(end, 0));
    const now = latenciesMs === null ? 0n : process.hrtime.bigint();
    for (const [, seq, sentAt] of text.slice(0, end).matchAll(/"seq":(\d+)[^\n]*?"line":"(\d+)/g)) {
      if (Number(seq) !== last + 1) faults++;
      last = Number(seq);
      latenciesMs?.push(Number(now - BigInt(sentAt ?? 0)) / 1e6);
    }
    if (/^event: ?end$/m.test(text)) settle();
  });
  response.on('error', () => settle());
  response.on('close', () => settle());
  return { response, ended, last: () => last, faults: () => faults };
};
