// Two projects in one run: tests under test/unit need nothing but Node, all others get a Postgres and a Temporal server from
// test/support/global-setup.ts. Jest runs that setup only when a test of the second project is chosen.
const shared = {
  transform: {
    '^.+\\.m?[tj]s$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'commonjs' } }],
  },
  // These packages ship ESM only, which Jest's require cannot load untransformed.
  transformIgnorePatterns: ['/node_modules/(?!node-pg-migrate/)'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.yardmaster/'],
};

/** @type {import('jest').Config} */
module.exports = {
  testTimeout: 60_000,
  projects: [
    { ...shared, displayName: 'rules', testMatch: ['<rootDir>/test/unit/**/*.test.ts', '<rootDir>/test/architecture.test.ts'] },
    {
      ...shared,
      displayName: 'servers',
      testMatch: ['<rootDir>/test/**/*.test.ts'],
      testPathIgnorePatterns: ['<rootDir>/test/unit/', '<rootDir>/test/architecture\\.test\\.ts'],
      testEnvironment: '<rootDir>/test/support/environment.ts',
      globalSetup: '<rootDir>/test/support/global-setup.ts',
      globalTeardown: '<rootDir>/test/support/global-teardown.ts',
    },
  ],
};
