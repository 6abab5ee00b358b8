import type { Queryable } from './queryable';

/** Notified with the id of a session that was signed out: every gateway ends what it still reads. */
export const endedSessionChannel = 'yardmaster_session_ended';

/** From its commit on no gateway takes the session. Forgets those that would be over by now anyway. */
export const endSession = async (db: Queryable, { sessionId, expiresAt }: { sessionId: string; expiresAt: Date }): Promise<void> => {
  await db.query(
    `with over as (
       delete from yardmaster.ended_session where expires_at < now()
     ), ended as (
       insert into yardmaster.ended_session (session_id, expires_at) values ($1, $2) on conflict do nothing
     )
     select pg_notify($3, $1)`,
    [sessionId, expiresAt, endedSessionChannel],
  );
};

/** Which of them were signed out. */
export const listEndedSessions = async (db: Queryable, sessionIds: readonly string[]): Promise<string[]> => {
  const { rows } = await db.query<{ session_id: string }>(
    `/* list_ended_sessions */ select session_id from yardmaster.ended_session where session_id = any($1::text[])`,
    [sessionIds],
  );
  return rows.map(({ session_id: sessionId }) => sessionId);
};
