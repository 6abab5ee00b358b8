import type { Stack } from '../../dev/tools/stack';

/** What global-setup.ts started and global-teardown.ts takes back. */
export const started: { stack?: Stack; lockFile?: string } = {};
