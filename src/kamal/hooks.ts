import { readFileSync, readdirSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { parseJson } from '../domain/json';
import type { Redact } from '../domain/redact';
import { createOutputTail } from '../process/output-tail';
import { createPlainText } from '../process/plain-text';
import type { HangingHook } from './run';

/**
 * Hooks of their project. Kamal leaves the input of a hook open and shows nothing of it before its end (kamal §7), so each is started through a wrapper of
 * ours, which closes its input and keeps what it says while it runs.
 */

/** Relative to where Kamal is started. There is never anything in the second one: Kamal's own `--skip-hooks` does not reach its subcommands (kamal §7). */
export const hookFolders = { watched: '.kamal/watched-hooks', none: '.kamal/no-hooks' } as const;

const hookNames = new Set([
  'docker-setup',
  'pre-connect',
  'pre-build',
  'pre-deploy',
  'post-deploy',
  'pre-app-boot',
  'post-app-boot',
  'pre-proxy-reboot',
  'post-proxy-reboot',
]);

const runnerPath = path.join(__dirname, '../process/hook-runner.mjs');

/** A wrapper for each hook; it is started by its own path, so what it finds beside itself is found as before. */
export const writeHookWrappers = async (project: string, theirs: string): Promise<void> => {
  const folder = path.join(project, hookFolders.watched);
  await mkdir(folder, { mode: 0o700 });
  const names = (await readdir(theirs).catch(() => [])).filter((name) => hookNames.has(name));
  for (const name of names) {
    const [runner, hook] = [`${quote(process.execPath)} ${quote(runnerPath)}`, quote(path.join(theirs, name))];
    await writeFile(path.join(folder, name), `#!/bin/sh\nexec ${runner} "$YARDMASTER_HOOKS" ${hook} "$@"\n`, { mode: 0o700 });
  }
};

const quote = (word: string): string => `'${word.replaceAll("'", String.raw`'\''`)}'`;

/** Where the hooks of one run say that they run. */
export const hookRecordsOf = (dir: string, run: number): string => path.join(dir, 'hooks', String(run));

const recordSchema = z.object({ hook: z.string(), said: z.base64() });
/** Of what a hook has said: a question stands at its end. */
const keptBytes = 8_192;
const saidCharsMax = 300;

/** The hook of a run that was ended while it ran, and the last lines that it said; null when none ran. */
export const findHangingHook = (records: string, redact: Redact): HangingHook | null => {
  for (const name of namesIn(records)) {
    const record = recordSchema.safeParse(parseJson(readOrEmpty(path.join(records, name))));
    if (!record.success) continue;
    const tail = createOutputTail({ bytesMax: keptBytes });
    tail.add(Buffer.from(record.data.said, 'base64'));
    // Control characters first: a secret that was written with one inside is recognised afterwards.
    const toPlainText = createPlainText();
    const said = tail.read((text) => redact(toPlainText(text))).trim();
    return { name: record.data.hook, said: said.slice(-saidCharsMax) };
  }
  return null;
};

const namesIn = (folder: string): string[] => {
  try {
    return readdirSync(folder).filter((name) => /^\d+$/.test(name));
  } catch {
    // No hook has run.
    return [];
  }
};

const readOrEmpty = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // It has ended meanwhile.
    return '';
  }
};
