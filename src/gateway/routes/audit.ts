import type { RequestHandler } from 'express';
import { listAudit } from '../../db/audit';
import { makeAuditCursor, parseAuditCursor } from '../cursor';
import { answer } from '../endpoint';
import { endpoints } from '../endpoints';
import type { GatewayDeps } from '../gateway-deps';

/** Who did what, newest first. */
export const createAuditRoutes = (deps: GatewayDeps): Record<'listAudit', RequestHandler> => ({
  listAudit: answer(endpoints.listAudit, async ({ query }) => {
    const { entries, next } = await listAudit(deps.pool, {
      actor: query.actor ?? null,
      act: query.act ?? null,
      subject: query.subject ?? null,
      since: query.since === undefined ? null : new Date(query.since),
      before: query.cursor === undefined ? null : parseAuditCursor(query.cursor),
      rows: query.limit ?? deps.limits.pageRowsDefault,
    });
    return { status: 200, body: { entries, nextCursor: next === null ? null : makeAuditCursor(next) } };
  }),
});
