// One config: unit tests need nothing, the others find Temporal and Postgres through the environment that src/dev/bootstrap.mjs prepares.
/** @type {import('jest').Config} */
module.exports = {
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  transform: { '^.+\\.m?[tj]s$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'commonjs' } }] },
  // These packages ship ESM only, which Jest's require cannot load untransformed.
  transformIgnorePatterns: ['/node_modules/(?!(request-filtering-agent|node-pg-migrate)/)'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.yardmaster/'],
  testTimeout: 60_000,
};
