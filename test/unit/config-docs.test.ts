import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { loadConfig } from '../../src/config';
import { projectRoot } from '../../src/project-root';
import { makeEnvExample, makeSettingsDocument, withTable } from '../../dev/tools/settings-docs';
import { makeMetricsTable, metricsMarkers } from '../../dev/tools/metrics-docs';
import { settingDocs } from '../../src/settings';

/** What stands in a file, and what should; `UPDATE_DOCS=1 npx jest config-docs` writes it. */
const compare = (name: string, make: (present: string) => string): { present: string; wanted: string } => {
  const file = path.join(projectRoot(), name);
  const present = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const wanted = make(present);
  if (process.env['UPDATE_DOCS'] && wanted !== present) writeFileSync(file, wanted);
  return { present: process.env['UPDATE_DOCS'] ? wanted : present, wanted };
};

it('finds .env.example as the settings say', () => {
  const { present, wanted } = compare('.env.example', makeEnvExample);
  expect(present).toBe(wanted);
});

it('finds docs/settings.md as the settings say', () => {
  const { present, wanted } = compare('docs/settings.md', makeSettingsDocument);
  expect(present).toBe(wanted);
});

it('finds the operators’ table of metrics as the processes show them', async () => {
  const table = await makeMetricsTable();
  const { present, wanted } = compare('docs/operators.md', (text) => withTable(text, metricsMarkers, table));
  expect(table).toContain('| `yardmaster_jobs` | gauge | `state` |');
  expect(present).toBe(wanted);
});

it('writes the table between the markers and leaves the rest alone', () => {
  const markers = { start: '<!-- a -->', end: '<!-- b -->' };
  expect(withTable('before <!-- a -->STALE<!-- b --> after', markers, '| new |')).toBe('before <!-- a -->\n| new |\n<!-- b --> after');
  expect(withTable('no markers', markers, '| new |')).toBe('no markers');
});

it('starts every process from .env.example as it is', () => {
  const env = Object.fromEntries(
    makeEnvExample()
      .split('\n')
      .filter((line) => /^\w+=/.test(line))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  expect(() => [loadConfig(env, 'gateway'), loadConfig(env, 'orchestrator'), loadConfig(env, 'migrate')]).not.toThrow();
});

it('explains every setting in one sentence or more', () => {
  expect(settingDocs().filter(({ meaning, processes }) => !/\.$/.test(meaning) || processes.length === 0)).toEqual([]);
});
