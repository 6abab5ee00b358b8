import type { Import, SourceFile } from './source-tree';

/** Who may import whom, as data: folders, and the few files that stand for themselves. */

/** The longest that fits is the one of a file. */
const folders = [
  'src/config.ts',
  'src/settings.ts',
  'src/project-root.ts',
  'src/log.ts',
  'src/metrics/',
  'src/temporal/',
  'src/secret-box.ts',
  'src/fleet-file.ts',
  'src/contracts/',
  'src/domain/',
  'src/db/',
  'src/process/',
  'src/ghosthands/',
  'src/product/',
  'src/kamal/',
  'src/gateway/',
  'src/dashboard/',
  'dev/',
  'workflows/',
  'activities/',
  'workers/',
  'test/',
  'bench/',
] as const;
type Folder = (typeof folders)[number];

interface Rule {
  /** Folders besides its own. */
  folders: readonly Folder[];
  /** Folders of which it may name the types alone. */
  types?: readonly Folder[];
  packages: readonly string[];
  /** Packages of which it may name the types alone. */
  packageTypes?: readonly string[];
  /** Parts of Node: all but child processes, or none where the code is pure or runs in the workflow sandbox. */
  mayUseNode: boolean;
  /** Files that construct: they read the configuration and hand it on. */
  entries?: Readonly<Record<string, readonly Folder[]>>;
}

const pure = { mayUseNode: false } as const;
const temporalPackages = ['@temporalio/client', '@temporalio/common', '@temporalio/worker', '@temporalio/activity'] as const;

const rules: Readonly<Record<Exclude<Folder, 'dev/' | 'test/' | 'bench/'>, Rule>> = {
  'src/contracts/': { ...pure, folders: [], packages: ['zod', '@temporalio/workflow', '@temporalio/common'] },
  'src/domain/': { ...pure, folders: ['src/contracts/'], packages: [] },
  // Secrets are a type of the domain, which is pure.
  'src/settings.ts': { folders: ['src/domain/'], packages: ['zod'], mayUseNode: true },
  'src/config.ts': { folders: ['src/domain/', 'src/settings.ts'], packages: ['zod'], mayUseNode: true },
  'src/project-root.ts': { folders: [], packages: [], mayUseNode: true },
  'src/log.ts': { folders: ['src/contracts/', 'src/domain/'], types: ['src/config.ts'], packages: ['winston'], mayUseNode: true },
  'src/metrics/': {
    folders: ['src/contracts/', 'src/domain/', 'src/log.ts'],
    types: ['src/config.ts'],
    packages: ['prom-client'],
    mayUseNode: true,
  },
  'src/temporal/': {
    folders: ['src/contracts/', 'src/domain/', 'src/log.ts'],
    types: ['src/config.ts'],
    packages: temporalPackages,
    mayUseNode: true,
  },
  'src/process/': {
    folders: ['src/contracts/', 'src/domain/', 'src/log.ts'],
    types: ['src/config.ts'],
    packages: ['zod'],
    mayUseNode: true,
  },
  'src/secret-box.ts': { folders: ['src/domain/'], packages: [], mayUseNode: true },
  'src/fleet-file.ts': { folders: ['src/contracts/', 'src/domain/'], packages: [], mayUseNode: true },
  'src/db/': {
    folders: ['src/contracts/', 'src/domain/', 'src/log.ts', 'src/project-root.ts'],
    packages: ['pg', 'node-pg-migrate'],
    mayUseNode: true,
    entries: { 'src/db/migrate-command.ts': ['src/config.ts'] },
  },
  'src/ghosthands/': { folders: ['src/contracts/', 'src/domain/', 'src/log.ts'], packages: ['zod'], mayUseNode: true },
  'src/product/': {
    folders: ['src/contracts/', 'src/domain/', 'src/log.ts'],
    packages: ['zod', 'ipaddr.js'],
    mayUseNode: true,
  },
  'src/kamal/': { folders: ['src/contracts/', 'src/domain/', 'src/log.ts', 'src/process/'], packages: ['zod', 'yaml'], mayUseNode: true },
  'workflows/': { ...pure, folders: ['src/contracts/', 'src/domain/'], types: ['activities/'], packages: ['@temporalio/workflow'] },
  // What they use is passed in, the pool included.
  'activities/': {
    folders: ['src/contracts/', 'src/domain/', 'src/db/', 'src/ghosthands/', 'src/product/', 'src/kamal/', 'src/log.ts'],
    types: ['src/process/'],
    packages: ['@temporalio/activity', '@temporalio/common', 'async-mutex'],
    packageTypes: ['pg'],
    mayUseNode: true,
  },
  'workers/': {
    folders: [
      'src/contracts/',
      'src/domain/',
      'src/config.ts',
      'src/log.ts',
      'src/metrics/',
      'src/secret-box.ts',
      'src/fleet-file.ts',
      'src/temporal/',
      'src/process/',
      'src/db/',
      'src/ghosthands/',
      'src/product/',
      'src/kamal/',
      'workflows/',
      'activities/',
    ],
    packages: [...temporalPackages, 'async-mutex'],
    packageTypes: ['pg'],
    mayUseNode: true,
  },
  'src/gateway/': {
    folders: [
      'src/contracts/',
      'src/domain/',
      'src/db/',
      'src/log.ts',
      'src/project-root.ts',
      'src/temporal/',
      'src/ghosthands/',
      'src/metrics/',
      'src/secret-box.ts',
      'src/fleet-file.ts',
    ],
    types: ['workflows/', 'src/config.ts'],
    packages: [
      '@asteasolutions/zod-to-openapi',
      '@temporalio/client',
      'async-mutex',
      'cookie-session',
      'cors',
      'express',
      'express-rate-limit',
      'helmet',
      'prom-client',
      'zod',
    ],
    packageTypes: ['pg'],
    mayUseNode: true,
    entries: { 'src/gateway/server.ts': ['src/config.ts'] },
  },
  'src/dashboard/': { ...pure, folders: [], types: ['src/contracts/'], packages: ['react', 'react-dom'] },
};

export const folderOf = (file: string): Folder | null =>
  folders.find((folder) => file === folder || (folder.endsWith('/') && file.startsWith(folder))) ?? null;

const isFree = (folder: Folder): folder is 'dev/' | 'test/' | 'bench/' => folder === 'dev/' || folder === 'test/' || folder === 'bench/';

/** One sentence for each import that the table forbids. */
export const findForbiddenImports = (files: readonly SourceFile[], dependencies: readonly string[]): string[] =>
  files.flatMap((file) => {
    const folder = folderOf(file.path);
    if (folder === null) return [`${file.path} is in no folder of the table`];
    return file.imports.flatMap((found) => {
      const problem = findProblem(folder, file.path, found, dependencies);
      return problem === null ? [] : [`${file.path} ${problem}`];
    });
  });

const findProblem = (folder: Folder, file: string, { to, isTypeOnly }: Import, dependencies: readonly string[]): string | null => {
  if (to.kind === 'missing') return folder === 'bench/' || folder === 'test/' ? null : `imports ${to.specifier}, which is not there`;
  // A process belongs to src/process alone; the servers of demo and tests are children of dev.
  if (to.kind === 'node' && to.name === 'child_process' && folder !== 'src/process/' && !isFree(folder))
    return 'imports node:child_process';
  if (isFree(folder)) return null;
  const rule = rules[folder];
  switch (to.kind) {
    case 'node':
      return rule.mayUseNode ? null : `imports node:${to.name}`;
    case 'package': {
      if (!isTypeOnly && !dependencies.includes(to.name)) return `imports ${to.name}, which is no dependency of what is shipped`;
      const isAllowed = rule.packages.includes(to.name) || (isTypeOnly && rule.packageTypes?.includes(to.name) === true);
      return isAllowed ? null : `imports ${to.name}`;
    }
    case 'file': {
      const target = folderOf(to.path);
      if (target === null || target === folder) return null;
      const isAllowed =
        rule.folders.includes(target) ||
        (isTypeOnly && rule.types?.includes(target) === true) ||
        rule.entries?.[file]?.includes(target) === true;
      return isAllowed ? null : `imports ${isTypeOnly ? 'a type of ' : ''}${to.path}`;
    }
  }
};

/** The first way around from a file to itself. Types are no edges: they are gone when the code is loaded. */
export const findCycle = (files: readonly SourceFile[]): string[] | null => {
  const edges = new Map(
    files.map((file) => [file.path, file.imports.flatMap(({ to, isTypeOnly }) => (to.kind === 'file' && !isTypeOnly ? [to.path] : []))]),
  );
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]): string[] | null => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file];
    if (done.has(file)) return null;
    for (const next of edges.get(file) ?? []) {
      const cycle = visit(next, [...trail, file]);
      if (cycle !== null) return cycle;
    }
    done.add(file);
    return null;
  };
  for (const file of edges.keys()) {
    const cycle = visit(file, []);
    if (cycle !== null) return cycle;
  }
  return null;
};

/** The packages that end up in the bundle of the workflows, each with the file that brings it. Types bring nothing. */
export const findBundledPackages = (files: readonly SourceFile[]): string[] => {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const reached = new Set<string>();
  const visit = (file: string): void => {
    if (reached.has(file)) return;
    reached.add(file);
    for (const { to, isTypeOnly } of byPath.get(file)?.imports ?? []) if (to.kind === 'file' && !isTypeOnly) visit(to.path);
  };
  for (const file of byPath.keys()) if (folderOf(file) === 'workflows/') visit(file);
  return [...reached].flatMap((file) =>
    (byPath.get(file)?.imports ?? []).flatMap(({ to, isTypeOnly }) =>
      to.kind === 'package' && !isTypeOnly ? [`${to.name} by ${file}`] : [],
    ),
  );
};
