import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { findBreaches } from './support/house-rules';
import { findBundledPackages, findCycle, findForbiddenImports, folderOf } from './support/import-rules';
import { parseSources, readSources, type SourceTexts } from './support/source-tree';

// Who may import whom, and the rules of the house that a machine can check. Each rule is tried on a file that breaks it, below.
const root = path.join(__dirname, '..');
const { dependencies } = z
  .object({ dependencies: z.record(z.string(), z.string()) })
  .parse(JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')));
/** Not written out, or this file would break the rule itself. */
const wish = ['TO', 'DO'].join('');

describe('the sources', () => {
  const files = parseSources(readSources(root, ['src', 'workflows', 'activities', 'workers', 'dev', 'test', 'bench']));

  test('import only what the table allows', () => {
    expect(findForbiddenImports(files, Object.keys(dependencies))).toEqual([]);
  });

  test('have no cycles', () => {
    expect(findCycle(files)).toBeNull();
  });

  test('put nothing but the SDK into the bundle of the workflows, whose modules run anew for every workflow', () => {
    const bundled = findBundledPackages(files);
    expect(bundled.length).toBeGreaterThan(5);
    expect(bundled.filter((found) => !/^@temporalio\/(workflow|common) /.test(found))).toEqual([]);
  });

  test('keep the rules of the house', () => {
    expect(findBreaches(files)).toEqual([]);
  });

  test('are all looked at, and their imports resolved', () => {
    const shipped = files.filter(({ path: file }) => !['dev/', 'test/', 'bench/'].includes(folderOf(file) ?? ''));
    expect(shipped.length).toBeGreaterThan(60);
    const toFiles = shipped.flatMap(({ imports }) => imports).filter(({ to }) => to.kind === 'file');
    expect(toFiles.length).toBeGreaterThan(shipped.length);
  });
});

describe('a breach is caught', () => {
  test.each<[what: string, file: string, text: string, found: string]>([
    ['a Node builtin in a workflow', 'workflows/a.ts', `import { join } from 'node:path';`, 'workflows/a.ts imports node:path'],
    ['a builtin by its old name', 'workflows/a.ts', `import fs from 'fs';`, 'workflows/a.ts imports node:fs'],
    ['a builtin that is imported on demand', 'workflows/a.ts', `void import('node:crypto');`, 'workflows/a.ts imports node:crypto'],
    ['a required one', 'src/domain/a.ts', `const fs = require('node:fs');`, 'src/domain/a.ts imports node:fs'],
    [
      'an activity as a value in a workflow',
      'workflows/a.ts',
      `import { b } from '../activities/b';`,
      'workflows/a.ts imports activities/b.ts',
    ],
    ['a re-exported activity', 'workflows/a.ts', `export * from '../activities/b';`, 'workflows/a.ts imports activities/b.ts'],
    [
      'a type of the database in the domain',
      'src/domain/a.ts',
      `import type { B } from '../db/b';`,
      'src/domain/a.ts imports a type of src/db/b.ts',
    ],
    ['the same in place', 'src/domain/a.ts', `type A = import('../db/b').B;`, 'src/domain/a.ts imports a type of src/db/b.ts'],
    [
      'the gateway that starts a child',
      'src/gateway/a.ts',
      `import { spawn } from 'node:child_process';`,
      'src/gateway/a.ts imports node:child_process',
    ],
    [
      'an activity that starts one',
      'activities/a.ts',
      `import { spawn } from 'child_process';`,
      'activities/a.ts imports node:child_process',
    ],
    [
      'the gateway that calls an activity',
      'src/gateway/a.ts',
      `import { b } from '../../activities/b';`,
      'src/gateway/a.ts imports activities/b.ts',
    ],
    [
      'the gateway with the worker package',
      'src/gateway/a.ts',
      `import { Worker } from '@temporalio/worker';`,
      'src/gateway/a.ts imports @temporalio/worker',
    ],
    ['the database with Temporal', 'src/db/a.ts', `import { Client } from '@temporalio/client';`, 'src/db/a.ts imports @temporalio/client'],
    ['an activity that makes a pool', 'activities/a.ts', `import { Pool } from 'pg';`, 'activities/a.ts imports pg'],
    [
      'an activity that reads the configuration',
      'activities/a.ts',
      `import { loadConfig } from '../src/config';`,
      'activities/a.ts imports src/config.ts',
    ],
    ['shipped code on dev', 'src/gateway/a.ts', `import { b } from '../../dev/b';`, 'src/gateway/a.ts imports dev/b.ts'],
    [
      'shipped code on a package of the tests',
      'src/contracts/a.ts',
      `import fc from 'fast-check';`,
      'src/contracts/a.ts imports fast-check, which is no dependency of what is shipped',
    ],
    ['a file that is not there', 'src/db/a.ts', `import { b } from './nowhere';`, 'src/db/a.ts imports ./nowhere, which is not there'],
    ['a folder that nobody knows', 'src/stuff/a.ts', ``, 'src/stuff/a.ts is in no folder of the table'],
  ])('%s', (_what, file, text, found) => {
    expect(findForbiddenImports(parse({ [file]: text }), ['@temporalio/worker', '@temporalio/client', 'pg'])).toEqual([found]);
  });

  test.each<[what: string, file: string, text: string, found: RegExp]>([
    ['an enum', 'src/domain/a.ts', `export enum State { Open }`, /declares an enum/],
    ['a default export', 'src/domain/a.ts', `export default class {}`, /has a default export/],
    ['a default export of a value', 'src/domain/a.ts', `const a = 1; export default a;`, /has a default export/],
    ['any in a parameter', 'test/unit/a.test.ts', `const f = (x: any) => x;`, /uses any/],
    ['any in a type argument', 'src/db/a.ts', `const f = new Map<string, any>();`, /uses any/],
    ['console', 'test/support/a.ts', `console.log(1);`, /uses console.log/],
    ['the environment in the gateway', 'src/gateway/a.ts', `const a = process.env.A;`, /reads process.env/],
    ['the environment by an index', 'activities/a.ts', `const a = process['env'].A;`, /reads process.env/],
    ['the environment taken out of process', 'workers/a.ts', `const { env } = process;`, /takes process apart/],
    ['a limit in a workflow', 'workflows/a.ts', `import { limits } from '../src/contracts/limits';`, /imports limits/],
    [
      'a limit in what a workflow brings into its bundle',
      'src/domain/a.ts',
      `import { limits } from '../contracts/limits';`,
      /imports limits/,
    ],
    ['a statement in an activity', 'activities/a.ts', 'const sql = `\n  update yardmaster.job set x = ${1}`;', /holds SQL/],
    ['a query in the gateway', 'src/gateway/a.ts', `const sql = 'select 1 from yardmaster.job';`, /holds SQL/],
    ['a wish without an issue', 'src/domain/a.ts', `// ${wish}: later\n`, /without an issue/],
    ['a drawer', 'src/db/utils.ts', ``, /is a drawer/],
    ['a name in another case', 'src/db/jobRows.ts', ``, /kebab-case/],
    ['a skipped test', 'test/a.test.ts', `test.skip('x', () => {});`, /has test.skip/],
    ['a focused table', 'test/a.test.ts', `test.only.each([1])('x', () => {});`, /has test.only.each/],
    ['a focused describe', 'test/a.test.ts', `fdescribe('x', () => {});`, /has fdescribe/],
    ['a test for later', 'test/a.test.ts', `it.todo('x');`, /has it.todo/],
    ['two tests of one title', 'test/a.test.ts', `test('x', () => {}); describe('y', () => {}); test('x', () => {});`, /has two tests "x"/],
    ['two rows of one title', 'test/a.test.ts', `test.each([['x', 1], ['x', 2]])('%s', () => {});`, /has two tests "x"/],
  ])('%s', (_what, file, text, found) => {
    const breaches = findBreaches(parse({ [file]: text }));
    expect(breaches).toHaveLength(1);
    expect(breaches[0]).toMatch(found);
  });

  test('a package that a workflow brings into its bundle through another file', () => {
    const files = parse({
      'workflows/a.ts': `import { c } from '../src/contracts/c'; import type { D } from 'zod';`,
      'src/contracts/c.ts': `import { z } from 'zod';`,
    });
    expect(findBundledPackages(files)).toEqual(['zod by src/contracts/c.ts']);
  });

  test('a cycle', () => {
    const files = parse({
      'src/domain/a.ts': `import { c } from './c';`,
      'src/domain/c.ts': `export { d } from './d';`,
      'src/domain/d.ts': `import { a } from './a';`,
    });
    expect(findCycle(files)).toEqual(['src/domain/a.ts', 'src/domain/c.ts', 'src/domain/d.ts', 'src/domain/a.ts']);
  });
});

describe('what is allowed passes', () => {
  test.each<[what: string, file: string, text: string]>([
    [
      'types of activities in a workflow',
      'workflows/a.ts',
      `import type { B } from '../activities/b'; import { condition } from '@temporalio/workflow';`,
    ],
    ['the same, type by type', 'workflows/a.ts', `import { type B } from '../activities/b';`],
    ['a child of src/process', 'src/process/a.ts', `import { spawn } from 'node:child_process';`],
    ['the types of pg in an activity', 'activities/a.ts', `import type { Pool } from 'pg';`],
    ['statements in src/db', 'src/db/a.ts', 'import { Pool } from "pg"; const sql = `select a from b where c = ${1}`;'],
    ['the environment in src/config.ts', 'src/config.ts', `export const read = () => process.env;`],
    ['the environment handed to the configuration', 'workers/a.ts', `const config = loadConfig(process.env, 'a');`],
    ['a word of SQL in a sentence', 'src/gateway/a.ts', `const hint = 'Select a job from the list, then update it';`],
    [
      'one title under two describes',
      'test/a.test.ts',
      `describe('a', () => { test('x', () => {}); }); describe('b', () => { test('x', () => {}); });`,
    ],
    ['a wish with its issue', 'src/domain/a.ts', `// ${wish}(#12): later\n`],
  ])('%s', (_what, file, text) => {
    const files = parse({ [file]: text });
    expect([...findForbiddenImports(files, ['pg', '@temporalio/workflow']), ...findBreaches(files)]).toEqual([]);
  });
});

/** A tree of these files and of those that they import. */
const parse = (texts: Record<string, string>): ReturnType<typeof parseSources> => {
  const neighbours = ['activities/b.ts', 'src/db/b.ts', 'dev/b.ts', 'src/config.ts'];
  const tree: SourceTexts = new Map([...neighbours.map((file): [string, string] => [file, '']), ...Object.entries(texts)]);
  return parseSources(tree).filter((file) => file.path in texts);
};
