// Two projects in one run: tests under test/unit need nothing but Node, all others get a Postgres and a Temporal server from
// test/support/global-setup.ts. Jest runs that setup only when a test of the second project is chosen. Tests of real deploys are a run of
// their own, `npm run test:deploys`: they need root, containers and sshd, and have the machine to themselves.
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

/** @type {import('jest').Config} */
const everywhere = {
  testTimeout: 120_000,
  projects: [
    { ...shared, displayName: 'rules', testMatch: ['<rootDir>/test/unit/**/*.test.ts', '<rootDir>/test/architecture.test.ts'] },
    {
      ...withServers,
      displayName: 'servers',
      testMatch: ['<rootDir>/test/**/*.test.ts'],
      testPathIgnorePatterns: ['<rootDir>/test/unit/', '<rootDir>/test/deploys/', '<rootDir>/test/architecture\\.test\\.ts'],
    },
  ],
};

/** @type {import('jest').Config} */
const deploys = {
  // Six commands of Kamal, each up to 15 s on two busy cores.
  testTimeout: 240_000,
  maxWorkers: 1,
  projects: [
    {
      ...withServers,
      displayName: 'deploys',
      testMatch: ['<rootDir>/test/deploys/**/*.test.ts'],
      globalSetup: '<rootDir>/test/support/deploys-setup.ts',
    },
  ],
};

module.exports = process.env.TEST_DEPLOYS ? deploys : everywhere;
