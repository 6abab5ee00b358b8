import type { RequestHandler } from 'express';
import type { Pool } from 'pg';
import type { Limits } from '../../contracts/limits';
import { endSession } from '../../db/ended-sessions';
import type { KnownCaller } from '../middleware/auth';
import { answer } from '../endpoint';
import { endpoints } from '../endpoints';
import { Problem } from '../problem';
import { findSessionCookie, sessionCookie, type Sessions } from '../sessions';

interface SessionDeps {
  pool: Pool;
  sessions: Sessions<KnownCaller>;
  limits: Pick<Limits, 'sessionLifeMs'>;
  settings: { publicUrl: string };
}

export const createSessionRoutes = ({
  pool,
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

    signOut: async (request, response, next) => {
      const cookie = findSessionCookie(request.headers.cookie);
      const session = cookie === undefined ? null : sessions.read(cookie);
      // First: who reads that he is signed out has to be.
      if (session !== null) await endSession(pool, session);
      await answer(endpoints.signOut, () => ({
        status: 200,
        headers: { 'Set-Cookie': sessionCookie('', { maxAgeMs: 0, isSecure }) },
        body: { isSignedIn: false },
      }))(request, response, next);
    },
  };
};
