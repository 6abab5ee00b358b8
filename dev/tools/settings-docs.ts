import { connectionBudget } from '../../src/config';
import { settingDocs } from '../../src/settings';

/** The text of `.env.example`: what has to be set, and everything else as a comment with its default. */
export const makeEnvExample = (): string =>
  [
    '# Made from src/settings.ts by `UPDATE_DOCS=1 npx jest config-docs`. Copy it to .env, and change every change-me.',
    ...settingDocs().flatMap(({ name, meaning, processes, default: byDefault, example }) => [
      '',
      `# ${meaning}`,
      `# For ${processes.join(', ')}. Default: ${byDefault}.`,
      example === null ? `# ${name}=${/^[\w.:-]+$/.test(byDefault) && byDefault !== 'none' ? byDefault : ''}` : `${name}=${example}`,
    ]),
    '',
  ].join('\n');

/** The text of docs/settings.md: the settings, and what the processes take of Postgres' max_connections. */
export const makeSettingsDocument = (): string =>
  [
    '# Settings',
    '',
    'Made from `src/settings.ts` by `UPDATE_DOCS=1 npx jest config-docs`; never edited by hand. Each comes from the environment, and a wrong one ends the start with the',
    'name of every problem. `.env.example` says which have to be set.',
    '',
    '| setting | meaning | default | processes |',
    '|---|---|---|---|',
    ...settingDocs().map(
      ({ name, meaning, processes, default: byDefault }) =>
        `| \`${name}\` | ${meaning.replaceAll('|', String.raw`\|`)} | ${byDefault} | ${processes.join(', ')} |`,
    ),
    '',
    '## Connections to Postgres, at the defaults',
    '',
    '| process | pool | LISTEN | together |',
    '|---|---|---|---|',
    ...connectionBudget.map(({ process, pool, listen }) => `| ${process} | ${pool} | ${listen} | ${pool + listen} |`),
    `| **one of each** | | | **${connectionBudget.reduce((sum, { pool, listen }) => sum + pool + listen, 0)}** |`,
    '',
  ].join('\n');

/** Puts the table between the markers; a text without them stays as it is. */
export const withTable = (markdown: string, markers: { start: string; end: string }, table: string): string => {
  const [before, rest] = markdown.split(markers.start);
  const after = rest?.split(markers.end)[1];
  if (before === undefined || after === undefined) return markdown;
  return `${before}${markers.start}\n${table}\n${markers.end}${after}`;
};
