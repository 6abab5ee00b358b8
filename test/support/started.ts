import type { Stack } from '../../src/dev/stack';

/** What global-setup.ts started and global-teardown.ts takes back. */
export const started: { stack?: Stack; lockFile?: string } = {};
