import type { RequestHandler } from 'express';
import { ownIds } from './atm-servers';

/**
 * What below `/fleet/:id` is ours, whichever machine is named: the product's commands and submissions, which the job itself leads to its owner (atm
 * §5), and the pages that would name attempts instead of jobs if a machine answered them.
 */
const ours = /^\/(api\/v1\/gh|monitoring\/(workers|alerts)|deploy\/stream)([/?]|$)/i;

/** What asks for the machine itself is no path of ours. */
const ofMachine = /^\/(wake|stop)\/?([?]|$)/i;

/** The same handlers as without the prefix. Everything below the control plane's own entry is, as ATM does it for its own (atm §1.3). */
export const withoutFleetPrefix = (listOwnIds: () => readonly string[]): RequestHandler => {
  return (request, _response, next) => {
    const [, id, rest] = /^\/fleet\/([^/?]+)(\/.*)$/i.exec(request.url) ?? [];
    if (id === undefined || rest === undefined || ofMachine.test(rest)) return next();
    if (ours.test(rest) || [...ownIds, ...listOwnIds()].includes(id)) request.url = rest;
    next();
  };
};
