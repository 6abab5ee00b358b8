import { parse } from 'yaml';
import type { DeployLock, KamalAuditLine } from '../contracts/deploy';
import { parseLockMessage } from '../domain/deploy-lock';

/**
 * What Kamal prints, as facts. Text is as `run` gives it: without terminal sequences. The exact strings are in test/fixtures/kamal-output.ts, taken
 * from Kamal 2.11.0.
 */

/** Written by our session above each answer, in Kamal's own way. */
export const makeHeading = (host: string, role: string | null): string => `App Host: ${host}${role === null ? '' : ` Role: ${role}`}`;
const headingPattern = /^App Host: (\S+)(?: Role: (\S+))?$/;

/** The last error, which Kamal prints to standard output; its message may go on over the lines that follow. */
export const parseError = (output: string): { class: string; message: string } | null => {
  const at = output.lastIndexOf('ERROR (');
  const [, name, message] = /^ERROR \(([\w:]+)\): ([\s\S]*)$/.exec(at === -1 ? '' : output.slice(at)) ?? [];
  return name === undefined || message === undefined ? null : { class: name, message: message.trim() };
};

/** Of `config`: what Kamal deploys to. Null where that is not among its lines. */
export const parseConfig = (output: string): { roles: string[]; hosts: string[]; primaryHost: string } | null => {
  const listOf = (name: string): string[] | null => {
    const [, items] = new RegExp(`^:${name}:\\n((?:- .*\\n?)+)`, 'm').exec(output) ?? [];
    return items === undefined
      ? null
      : items
          .trimEnd()
          .split('\n')
          .map((item) => scalarOf(item.slice(2)));
  };
  const [roles, hosts] = [listOf('roles'), listOf('hosts')];
  const [, primary] = /^:primary_host: (.+)$/m.exec(output) ?? [];
  return roles === null || hosts === null || primary === undefined ? null : { roles, hosts, primaryHost: scalarOf(primary) };
};

/** `::1` is quoted. What a redaction has left of a line is no YAML any more, and none of these lines. */
const scalarOf = (text: string): string => {
  try {
    return String(parse(text, { schema: 'failsafe', logLevel: 'silent' }));
  } catch {
    return text;
  }
};

/** Of `lock status` with exit 0; null: nobody holds it. */
export const parseLockStatus = (output: string): DeployLock | null => {
  const [, by] = /^Locked by: (.*)$/m.exec(output) ?? [];
  if (by === undefined) return null;
  const [, holder = by, at = null] = /^(.*) at (\S+)$/.exec(by) ?? [];
  const [, version = null] = /^Version: (.*)$/m.exec(output) ?? [];
  const [, message = ''] = /^Message: ([\s\S]*)$/m.exec(output) ?? [];
  return { holder, at, version, message: message.trim(), deployId: parseLockMessage(message)?.deployId ?? null };
};

/** Of `appVersion`: what runs, an entry for each host and role that runs something. */
export const parseAppVersions = (output: string): { host: string; role: string; version: string }[] =>
  splitByHost(output).flatMap(({ host, role, lines }) =>
    lines.filter((line) => line.trim() !== '').map((line) => ({ host, role: role ?? '', version: line.trim() })),
  );

/** Of `diskSpace`. */
export const parseDiskSpace = (output: string): { host: string; freeMb: number; totalMb: number }[] =>
  splitByHost(output).flatMap(({ host, lines }) => {
    // POSIX: file system, 1024-blocks, used, available, capacity, where.
    const [, total, free] = /\s(\d+)\s+\d+\s+(\d+)\s+\d+%\s/.exec(`${lines.at(-1) ?? ''} `) ?? [];
    return total === undefined || free === undefined
      ? []
      : [{ host, freeMb: Math.floor(Number(free) / 1_024), totalMb: Math.floor(Number(total) / 1_024) }];
  });

/** Of `audit`: `[time] [performer] [destination] [role?] text`, in the order of the hosts. */
export const parseAudit = (output: string): KamalAuditLine[] =>
  output.split('\n').flatMap((line) => {
    const [, at, performer, destination, role = null, text] =
      /^\[([^\]]+)\] \[([^\]]*)\] \[([^\]]*)\](?: \[([^\]]*)\])? (.*)$/.exec(line) ?? [];
    if (at === undefined || performer === undefined || destination === undefined || text === undefined) return [];
    return [{ at, performer, destination, role, text }];
  });

const splitByHost = (output: string): { host: string; role: string | null; lines: string[] }[] => {
  const parts: { host: string; role: string | null; lines: string[] }[] = [];
  for (const line of output.split('\n')) {
    const [, host, role = null] = headingPattern.exec(line) ?? [];
    if (host !== undefined) parts.push({ host, role, lines: [] });
    else if (line !== '') parts.at(-1)?.lines.push(line);
  }
  return parts;
};
