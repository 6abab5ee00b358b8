import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { createSessionClient, keptSession } from './connection';
import type { DbLog } from './pool';

/**
 * Hears NOTIFY on a direct connection, and polls as well: a notification is only the faster way to learn what polling would find. LISTEN
 * belongs to a session, so without DATABASE_DIRECT_URL, or when that leads to a transaction pooler, nothing arrives: the latter is found
 * out by trying, either is said in one warning, and from then on polling is all there is. A lost connection is made again, for ever.
 */
export interface ListenerOptions {
  directUrl: string | undefined;
  channels: string[];
  /** Left out, a notification polls at once; those that come meanwhile are one. */
  onNotify?: (channel: string, payload: string) => void;
  /** Runs every `pollEveryMs`, and at once when notifications may have been missed; never twice at a time. */
  onPoll: () => Promise<void> | void;
  pollEveryMs: number;
  log: DbLog;
  applicationName?: string;
}

export interface Listener {
  /** False while notifications do not arrive: degraded, or between two connections. */
  isListening: () => boolean;
  close: () => Promise<void>;
}

/** A notification to oneself takes a few ms; a loaded server gets three times this long before we call its URL a pooler's. */
const probeAnswerMs = 2_000;
const probeTries = 3;
const reconnectFirstMs = 250;
const reconnectMaxMs = 5_000;

export function createListener(options: ListenerOptions): Listener {
  const closing = new AbortController();
  const poller = startPolling(options, closing.signal);
  const state = { isListening: false };
  const listening = options.directUrl ? listenForEver(options, options.directUrl, state, poller.now, closing.signal) : undefined;
  if (!listening) warnDegraded(options, 'DATABASE_DIRECT_URL is not set');
  return {
    isListening: () => state.isListening,
    close: async () => {
      closing.abort();
      await Promise.all([listening, poller.ended]);
    },
  };
}

async function listenForEver(
  options: ListenerOptions,
  directUrl: string,
  state: { isListening: boolean },
  pollNow: () => void,
  closing: AbortSignal,
): Promise<void> {
  let waitMs = reconnectFirstMs;
  let isOutageLogged = false;
  while (!closing.aborted) {
    const client = createSessionClient(directUrl, { applicationName: options.applicationName ?? 'yardmaster-listen' });
    try {
      const lost = new Promise<void>((resolve) => client.once('end', () => resolve()));
      await connectAndListen(client, { onNotify: pollNow, ...options });
      if (!(await receivesOwnNotify(client, directUrl, options, closing))) {
        if (!closing.aborted)
          warnDegraded(options, 'notifications do not arrive, so DATABASE_DIRECT_URL seems to lead to a transaction pooler');
        return;
      }
      // Now that it is a session of ours: a pooler refuses settings at the start, and would not have been found out.
      for (const [name, value] of Object.entries(keptSession)) await client.query(`set ${name} = ${value}`);
      state.isListening = true;
      if (isOutageLogged) options.log.info('LISTEN goes on');
      waitMs = reconnectFirstMs;
      isOutageLogged = false;
      // What was notified while nobody listened is found by looking.
      pollNow();
      await Promise.race([lost, failsToAnswer(client, options.pollEveryMs, closing)]);
      throw new Error('the connection was lost');
    } catch (error) {
      if (!isOutageLogged && !closing.aborted) options.log.info('LISTEN is interrupted and tried again', { reason: messageOf(error) });
      isOutageLogged = true;
    } finally {
      state.isListening = false;
      await endQuietly(client);
    }
    await pause(waitMs, closing);
    waitMs = Math.min(waitMs * 2, reconnectMaxMs);
  }
}

async function connectAndListen(client: Client, options: ListenerOptions & Required<Pick<ListenerOptions, 'onNotify'>>): Promise<void> {
  client.on('notification', ({ channel, payload = '' }) => {
    if (!options.channels.includes(channel)) return;
    try {
      options.onNotify(channel, payload);
    } catch (error) {
      options.log.warn('A notification could not be handled; polling will find what it meant', { channel, reason: messageOf(error) });
    }
  });
  await client.connect();
  for (const channel of options.channels) await client.query(`listen ${client.escapeIdentifier(channel)}`);
}

/** The notification comes from another session: a pooler delivers one of the same session even where LISTEN is useless. */
async function receivesOwnNotify(client: Client, directUrl: string, options: ListenerOptions, closing: AbortSignal): Promise<boolean> {
  const channel = `yardmaster_probe_${randomBytes(6).toString('hex')}`;
  const received = new AbortController();
  client.on('notification', (message) => message.channel === channel && received.abort());
  await client.query(`listen ${channel}`);
  const other = createSessionClient(directUrl, { applicationName: options.applicationName ?? 'yardmaster-listen' });
  try {
    await other.connect();
    for (let tries = 0; tries < probeTries && !received.signal.aborted && !closing.aborted; tries++) {
      await other.query('select pg_notify($1, $2)', [channel, '']);
      await pause(probeAnswerMs, AbortSignal.any([received.signal, closing]));
    }
  } finally {
    await endQuietly(other);
  }
  if (received.signal.aborted) await client.query(`unlisten ${channel}`);
  return received.signal.aborted;
}

/** Ends when the server no longer answers, or with the signal. */
async function failsToAnswer(client: Client, everyMs: number, closing: AbortSignal): Promise<void> {
  try {
    while (!closing.aborted) {
      await pause(everyMs, closing);
      await client.query('select 1');
    }
  } catch {
    // No answer is the news.
  }
}

/** The server may be gone without a word, and pg waits for it to close the connection. */
async function endQuietly(client: Client): Promise<void> {
  await Promise.race([client.end().catch(() => undefined), delay(1_000, undefined, { ref: false })]);
}

function startPolling(options: ListenerOptions, closing: AbortSignal): { now: () => void; ended: Promise<void> } {
  let wake = new AbortController();
  const loop = async (): Promise<void> => {
    while (!closing.aborted) {
      wake = new AbortController();
      try {
        await options.onPoll();
      } catch (error) {
        options.log.warn('A poll failed and is done again at the next turn', { reason: messageOf(error) });
      }
      await pause(options.pollEveryMs, AbortSignal.any([closing, wake.signal]));
    }
  };
  return { now: () => wake.abort(), ended: loop() };
}

function warnDegraded({ log, pollEveryMs }: ListenerOptions, reason: string): void {
  log.warn('LISTEN is degraded: news are found by polling only', { reason, pollEveryMs });
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
