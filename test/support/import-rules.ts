import type { Import, SourceFile } from './source-tree';

/** Who may import whom, as data. A room is a folder, or one of the few files that stand for themselves. */

/** The longest that fits names the room of a file. */
const rooms = [
  'src/config.ts',
  'src/settings.ts',
  'src/project-root.ts',
  'src/log.ts',
  'src/metrics/',
  'src/temporal.ts',
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
  'src/dev/',
  'workflows/',
  'activities/',
  'workers/',
  'test/',
  'bench/',
] as const;
type Room = (typeof rooms)[number];

interface Rule {
  /** Rooms besides its own. */
  rooms: readonly Room[];
  /** Rooms of which it may name the types alone. */
  types?: readonly Room[];
  packages: readonly string[];
  /** Packages of which it may name the types alone. */
  packageTypes?: readonly string[];
  /** Parts of Node: all but child processes, or none where the code is pure or runs in the workflow sandbox. */
  mayUseNode: boolean;
  /** Files that construct: they read the configuration and hand it on. */
  entries?: Readonly<Record<string, readonly Room[]>>;
}

const pure = { mayUseNode: false } as const;
const temporalPackages = ['@temporalio/client', '@temporalio/common', '@temporalio/worker', '@temporalio/activity'] as const;

const rules: Readonly<Record<Exclude<Room, 'src/dev/' | 'test/' | 'bench/'>, Rule>> = {
  'src/contracts/': { ...pure, rooms: [], packages: ['zod', '@temporalio/workflow', '@temporalio/common'] },
  'src/domain/': { ...pure, rooms: ['src/contracts/'], packages: [] },
  // Secrets are a type of the domain, which is pure.
  'src/settings.ts': { rooms: ['src/domain/'], packages: ['zod'], mayUseNode: true },
  'src/config.ts': { rooms: ['src/domain/', 'src/settings.ts'], packages: ['zod'], mayUseNode: true },
  'src/project-root.ts': { rooms: [], packages: [], mayUseNode: true },
  'src/log.ts': { rooms: ['src/contracts/', 'src/domain/'], types: ['src/config.ts'], packages: ['winston'], mayUseNode: true },
  'src/metrics/': {
    rooms: ['src/contracts/', 'src/domain/', 'src/log.ts'],
    types: ['src/config.ts'],
    packages: ['prom-client'],
    mayUseNode: true,
  },
  'src/temporal.ts': {
    rooms: ['src/contracts/', 'src/domain/', 'src/log.ts'],
    types: ['src/config.ts'],
    packages: temporalPackages,
    mayUseNode: true,
  },
  'src/process/': { rooms: ['src/contracts/', 'src/domain/', 'src/log.ts'], types: ['src/config.ts'], packages: ['zod'], mayUseNode: true },
  'src/secret-box.ts': { rooms: ['src/domain/'], packages: [], mayUseNode: true },
  'src/fleet-file.ts': { rooms: ['src/contracts/', 'src/domain/'], packages: [], mayUseNode: true },
  'src/db/': {
    rooms: ['src/contracts/', 'src/domain/', 'src/log.ts', 'src/project-root.ts'],
    packages: ['pg', 'node-pg-migrate'],
    mayUseNode: true,
    entries: { 'src/db/migrate-command.ts': ['src/config.ts'] },
  },
  'src/ghosthands/': { rooms: ['src/contracts/', 'src/domain/', 'src/log.ts'], packages: ['zod'], mayUseNode: true },
  'src/product/': {
    rooms: ['src/contracts/', 'src/domain/', 'src/log.ts'],
    packages: ['zod', 'ipaddr.js'],
    mayUseNode: true,
  },
  'src/kamal/': { rooms: ['src/contracts/', 'src/domain/', 'src/log.ts', 'src/process/'], packages: ['zod', 'yaml'], mayUseNode: true },
  'workflows/': { ...pure, rooms: ['src/contracts/', 'src/domain/'], types: ['activities/'], packages: ['@temporalio/workflow'] },
  // What they use is passed in, the pool included.
  'activities/': {
    rooms: ['src/contracts/', 'src/domain/', 'src/db/', 'src/ghosthands/', 'src/product/', 'src/kamal/', 'src/log.ts'],
    types: ['src/process/'],
    packages: ['@temporalio/activity', '@temporalio/common'],
    packageTypes: ['pg'],
    mayUseNode: true,
  },
  'workers/': {
    rooms: [
      'src/contracts/',
      'src/domain/',
      'src/config.ts',
      'src/log.ts',
      'src/metrics/',
      'src/secret-box.ts',
      'src/fleet-file.ts',
      'src/temporal.ts',
      'src/process/',
      'src/db/',
      'src/ghosthands/',
      'src/product/',
      'src/kamal/',
      'workflows/',
      'activities/',
    ],
    packages: temporalPackages,
    packageTypes: ['pg'],
    mayUseNode: true,
  },
  'src/gateway/': {
    rooms: [
      'src/contracts/',
      'src/domain/',
      'src/db/',
      'src/log.ts',
      'src/project-root.ts',
      'src/temporal.ts',
      'src/ghosthands/',
      'src/metrics/',
      'src/secret-box.ts',
      'src/fleet-file.ts',
    ],
    types: ['workflows/', 'src/config.ts'],
    packages: [
      '@asteasolutions/zod-to-openapi',
      '@temporalio/client',
      'cookie-session',
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
  'src/dashboard/': { ...pure, rooms: [], types: ['src/contracts/'], packages: ['react', 'react-dom'] },
};

export const roomOf = (file: string): Room | null =>
  rooms.find((room) => file === room || (room.endsWith('/') && file.startsWith(room))) ?? null;

const isFree = (room: Room): room is 'src/dev/' | 'test/' | 'bench/' => room === 'src/dev/' || room === 'test/' || room === 'bench/';

/** One sentence for each import that the table forbids. */
export const findForbiddenImports = (files: readonly SourceFile[], dependencies: readonly string[]): string[] =>
  files.flatMap((file) => {
    const room = roomOf(file.path);
    if (room === null) return [`${file.path} is in no room of the house`];
    return file.imports.flatMap((found) => {
      const problem = findProblem(room, file.path, found, dependencies);
      return problem === null ? [] : [`${file.path} ${problem}`];
    });
  });

const findProblem = (room: Room, file: string, { to, isTypeOnly }: Import, dependencies: readonly string[]): string | null => {
  if (to.kind === 'missing') return room === 'bench/' || room === 'test/' ? null : `imports ${to.specifier}, which is not there`;
  // A process belongs to src/process alone; the servers of demo and tests are children of src/dev.
  if (to.kind === 'node' && to.name === 'child_process' && room !== 'src/process/' && !isFree(room)) return 'imports node:child_process';
  if (isFree(room)) return null;
  const rule = rules[room];
  switch (to.kind) {
    case 'node':
      return rule.mayUseNode ? null : `imports node:${to.name}`;
    case 'package': {
      if (!isTypeOnly && !dependencies.includes(to.name)) return `imports ${to.name}, which is no dependency of what is shipped`;
      const isAllowed = rule.packages.includes(to.name) || (isTypeOnly && rule.packageTypes?.includes(to.name) === true);
      return isAllowed ? null : `imports ${to.name}`;
    }
    case 'file': {
      const target = roomOf(to.path);
      if (target === null || target === room) return null;
      const isAllowed =
        rule.rooms.includes(target) ||
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
  for (const file of byPath.keys()) if (roomOf(file) === 'workflows/') visit(file);
  return [...reached].flatMap((file) =>
    (byPath.get(file)?.imports ?? []).flatMap(({ to, isTypeOnly }) =>
      to.kind === 'package' && !isTypeOnly ? [`${to.name} by ${file}`] : [],
    ),
  );
};
