// `npm test` is the short lane, `npm run test:faults` the matrices and long stories, `npm run test:deploys` the real Kamal, which has the machine to
// itself. Tests under test/unit need nothing but Node, the others get a Postgres and a Temporal server from test/support/global-setup.ts, which Jest
// runs only when a test of their project is chosen.
const os = require('node:os');

/** Unset, as in `npx jest apply-job`: whatever needs no real Kamal. */
const lane = process.env.TEST_LANE ?? 'all';
const isDeploys = lane === 'deploys';

const shared = {
  transform: {
    '^.+\\.m?[tj]s$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'commonjs' } }],
  },
  // These packages ship ESM only, which Jest's require cannot load untransformed.
  transformIgnorePatterns: ['/node_modules/(?!node-pg-migrate/)'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.yardmaster/'],
};

const withServers = {
  ...shared,
  testEnvironment: '<rootDir>/test/support/environment.ts',
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
};

const rules = { ...shared, displayName: 'rules', testMatch: ['<rootDir>/test/unit/**/*.test.ts', '<rootDir>/test/architecture.test.ts'] };
const servers = { ...withServers, displayName: 'servers', testMatch: ['<rootDir>/test/{integration,workflows,browser}/**/*.test.ts'] };
const faults = { ...withServers, displayName: 'faults', testMatch: ['<rootDir>/test/faults/**/*.test.ts'] };
const deploys = {
  ...withServers,
  displayName: 'deploys',
  testMatch: ['<rootDir>/test/deploys/**/*.test.ts'],
  globalSetup: '<rootDir>/test/support/deploys-setup.ts',
};
const lanes = { short: [rules, servers], faults: [faults], deploys: [deploys], all: [rules, servers, faults] };

const cores = os.availableParallelism();
// Most tests wait more than they compute, and each file has its own database, namespace and task queues. A fault run is many processes at work.
const workers = { short: 3 * cores, faults: cores, deploys: 1, all: 3 * cores };

/** @type {import('jest').Config} */
module.exports = {
  // Six commands of Kamal, each up to 15 s on two busy cores.
  testTimeout: isDeploys ? 240_000 : 120_000,
  maxWorkers: workers[lane],
  testSequencer: '<rootDir>/test/support/slow-first.js',
  reporters: ['default', '<rootDir>/test/support/lane-report.js'],
  projects: lanes[lane],
};
