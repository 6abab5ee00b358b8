import { request, type IncomingMessage } from 'node:http';

export interface ReceivedEvent {
  id: string | null;
  event: string;
  data: string;
}

/** One connection of a reader of server-sent events, as the standard reads them. */
export interface EventReader {
  status: number;
  headers: IncomingMessage['headers'];
  events: ReceivedEvent[];
  comments: string[];
  retryMs: number | null;
  /** The body of an answer that is no stream. */
  text: () => string;
  /** True when the other side ended it properly, false when it was cut, null while it is open. */
  endedCleanly: () => boolean | null;
  ended: Promise<void>;
  /** Takes nothing more from the socket. */
  stall(): void;
  goOn(): void;
  cut(): void;
}

/** Resolves with the headers; refused connections reject. */
export const readEvents = async (
  url: string,
  { headers = {}, method = 'GET', body }: { headers?: Record<string, string>; method?: string; body?: string } = {},
): Promise<EventReader> =>
  await new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: { accept: 'text/event-stream', ...headers }, agent: false });
    sent.on('error', reject);
    sent.on('response', (response) => {
      const reader = { events: [] as ReceivedEvent[], comments: [] as string[], retryMs: null as number | null };
      let all = '';
      let rest = '';
      let clean: boolean | null = null;
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        if (response.headers['content-type'] !== 'text/event-stream') all += chunk;
        const blocks = (rest + chunk).split('\n\n');
        rest = blocks.pop() ?? '';
        for (const block of blocks) take(block);
      });
      const take = (block: string): void => {
        let [id, event, data]: [string | null, string, string | null] = [null, 'message', null];
        for (const line of block.split('\n')) {
          const [, field = '', value = ''] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
          if (field === '') reader.comments.push(value);
          else if (field === 'id') id = value;
          else if (field === 'event') event = value;
          else if (field === 'data') data = data === null ? value : `${data}\n${value}`;
          else if (field === 'retry') reader.retryMs = Number(value);
        }
        if (data !== null) reader.events.push({ id, event, data });
      };
      const ended = new Promise<void>((settle) => {
        response.on('end', () => ((clean ??= response.complete), settle()));
        response.on('error', () => ((clean ??= false), settle()));
        response.on('close', () => ((clean ??= response.complete), settle()));
      });
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        get events() {
          return reader.events;
        },
        get comments() {
          return reader.comments;
        },
        get retryMs() {
          return reader.retryMs;
        },
        text: () => all,
        endedCleanly: () => clean,
        ended,
        stall: () => void response.pause(),
        goOn: () => void response.resume(),
        cut: () => sent.destroy(),
      });
    });
    sent.end(body);
  });

/** Follows a log as an EventSource does: connects again and again, each time where it stopped, until it has seen `end`. */
export interface LogFollower {
  lines: { seq: number; line: string }[];
  gaps: { from: number; to: number }[];
  end: { outcome: string } | null;
  connections: number;
  /** Cuts the connection that is open now. */
  cut(): void;
  done: Promise<void>;
  stop(): void;
}

export const followLog = (findUrl: () => string, { headers = {} }: { headers?: Record<string, string> } = {}): LogFollower => {
  let isStopped = false;
  let current: EventReader | null = null;
  const follower: LogFollower = {
    lines: [],
    gaps: [],
    end: null,
    connections: 0,
    cut: () => current?.cut(),
    stop() {
      isStopped = true;
      current?.cut();
    },
    done: Promise.resolve(),
  };
  let lastId: string | null = null;
  const connect = async (): Promise<void> => {
    current = await readEvents(findUrl(), { headers: { ...headers, ...(lastId === null ? {} : { 'last-event-id': lastId }) } });
    follower.connections++;
    await current.ended;
    for (const { id, event, data } of current.events) {
      const value: unknown = JSON.parse(data);
      if (event === 'message') follower.lines.push(value as { seq: number; line: string });
      else if (event === 'gap') follower.gaps.push(value as { from: number; to: number });
      else if (event === 'end') follower.end = value as { outcome: string };
      lastId = id ?? lastId;
    }
  };
  const follow = async (): Promise<void> => {
    while (!isStopped && follower.end === null) {
      // A gateway that is away is no news: it is tried again.
      await connect().catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  follower.done = follow();
  return follower;
};
