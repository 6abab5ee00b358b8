import type { IncomingMessage } from 'node:http';
import type { Log } from '../log';
import type { Role } from './role';

export interface Caller {
  /** Name of the key. */
  name: string;
  role: Role;
  /** Which of the name's keys. */
  keyId: string;
  /** The end of the session; a key that was shown has none. */
  sessionUntil?: Date;
  sessionId?: string;
}

/** What the gateway knows of a request besides what it says. */
export interface RequestFacts {
  requestId: string;
  log: Log;
  caller: Caller | null;
  /** Why nobody knows whether the session that was shown still lives: whoever needs a caller gets this error. */
  sessionError?: unknown;
  /** Where the caller is, as far as the proxies in front of us tell. */
  address: string | null;
  /** The endpoint's path with its parameters' names, for logs and metrics; null when nothing is there. */
  route: string | null;
  /** A stream lasts as long as its reader likes, which is no time to answer. */
  isStream: boolean;
}

const factsOf = new WeakMap<IncomingMessage, RequestFacts>();

export const setFacts = (request: IncomingMessage, facts: RequestFacts): void => {
  factsOf.set(request, facts);
};

export const getFacts = (request: IncomingMessage): RequestFacts => {
  const facts = factsOf.get(request);
  if (facts === undefined) throw new Error('the request passed no middleware that knows it');
  return facts;
};
