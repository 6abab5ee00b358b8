import type { RequestHandler } from 'express';
import type { Limits } from '../../contracts/limits';
import type { KnownCaller } from '../middleware/auth';
import { answer } from '../endpoint';
import { endpoints } from '../endpoints';
import { Problem } from '../problem';
import { sessionCookie, type Sessions } from '../sessions';

interface SessionDeps {
  sessions: Sessions<KnownCaller>;
  limits: Pick<Limits, 'sessionLifeMs'>;
  settings: { publicUrl: string };
}

export const createSessionRoutes = ({
  sessions,
  limits,
  settings,
}: SessionDeps): Record<'signIn' | 'getSession' | 'signOut', RequestHandler> => {
  const isSecure = settings.publicUrl.startsWith('https:');
  return {
    signIn: answer(endpoints.signIn, (_input, { caller, log }) => {
      const isByKey = caller !== null && caller.sessionUntil === undefined;
      const session = isByKey ? sessions.issue(caller) : null;
      if (caller === null || session === null)
        throw new Problem('unauthorized', 'A session is opened with a key, not with another session');
      log.info('A browser has signed in', { key: caller.name });
      return {
        status: 201,
        headers: { 'Set-Cookie': sessionCookie(session.value, { maxAgeMs: limits.sessionLifeMs, isSecure }), 'Cache-Control': 'no-store' },
        body: { name: caller.name, role: caller.role, expiresAt: session.expiresAt },
      };
    }),

    getSession: answer(endpoints.getSession, (_input, { caller }) => ({
      status: 200,
      headers: { 'Cache-Control': 'no-store' },
      body: { name: caller?.name ?? '', role: caller?.role ?? '', expiresAt: caller?.sessionUntil ?? null },
    })),

    signOut: answer(endpoints.signOut, () => ({
      status: 200,
      headers: { 'Set-Cookie': sessionCookie('', { maxAgeMs: 0, isSecure }) },
      body: { isSignedIn: false },
    })),
  };
};
