import {
  makeHeading,
  parseAppVersions,
  parseAudit,
  parseConfig,
  parseDiskSpace,
  parseError,
  parseLockStatus,
} from '../../../src/kamal/output';
import { createPlainText } from '../../../src/process/plain-text';
import { kamalOutput } from '../../fixtures/kamal-output';

const plain = (output: string): string => createPlainText()(output);
const host = '127.110.62.1';
const under = (answer: string, role: string | null = null): string => `${makeHeading(host, role)}\n${answer}`;

describe('an error', () => {
  it('is told by its class and its message', () => {
    expect(parseError(plain(kamalOutput.lockAcquireHeld))).toEqual({
      class: 'Kamal::Cli::LockError',
      message: "Deploy lock found. Run 'kamal lock help' for more information",
    });
  });

  it('may go on over several lines', () => {
    expect(parseError(plain(kamalOutput.pullMissing))?.message).toMatch(
      /^Exception while executing on host 127\.110\.62\.1: docker exit status: 125\n[^]*\nError: initializing source .*: manifest unknown$/,
    );
    expect(parseError(plain(kamalOutput.deployOfDyingWorkers))).toEqual({
      class: 'Kamal::Cli::Healthcheck::Error',
      message: [
        'Exceptions on 2 hosts:',
        'Exception while executing on host 127.110.62.1: container not ready after 5 seconds (restarting)',
        'Exception while executing on host 127.110.62.2: container not ready after 5 seconds (restarting)',
      ].join('\n'),
    });
  });

  it('is none where Kamal says that something failed and goes on', () => {
    expect(parseError(' ERROR Failed to boot workers on 127.0.0.1\n')).toBeNull();
    expect(parseError(kamalOutput.lockFree)).toBeNull();
    expect(parseError('')).toBeNull();
  });
});

describe('the lock', () => {
  it('is free when Kamal says so', () => {
    expect(parseLockStatus(kamalOutput.lockFree)).toBeNull();
  });

  it('tells who holds it, since when, for what, and whether it is ours', () => {
    const deployId = '0f3c8a52-0000-4000-8000-000000000001';
    expect(parseLockStatus(kamalOutput.lockHeld)).toEqual({
      holder: 'Yard',
      at: '2026-11-25T23:39:45Z',
      version: 'v1',
      message: `yard/kamal-deploy-ghosthands-staging/${deployId}`,
      deployId,
    });
  });

  it.each([
    ["somebody's", 'Locked by: Meet me at noon at 2026-01-02T03:04:05Z\nVersion: abc\nMessage: Automatic deploy lock', 'Meet me at noon'],
    ['of nobody with a name', 'Locked by:  at 2026-01-02T03:04:05Z\nVersion: abc\nMessage: two\nlines', ''],
  ])('may be %s', (_whose, output, holder) => {
    expect(parseLockStatus(output)).toMatchObject({ holder, at: '2026-01-02T03:04:05Z', version: 'abc', deployId: null });
  });
});

it('finds the version of each role that runs', () => {
  const output = `${under(kamalOutput.versionOfWeb, 'web')}\n${under(kamalOutput.versionOfNothing, 'workers')}`;
  expect(parseAppVersions(output)).toEqual([{ host, role: 'web', version: 'v1' }]);
});

it('finds the space of the disk', () => {
  expect(parseDiskSpace(under(kamalOutput.diskSpace))).toEqual([{ host, freeMb: 78_127, totalMb: 258_019 }]);
  expect(parseDiskSpace(under('df: no file systems processed'))).toEqual([]);
});

it('reads the audit lines of all hosts, with and without a role', () => {
  const lines = parseAudit(kamalOutput.audit);
  expect(lines).toHaveLength(13);
  expect(lines[0]).toEqual({
    at: '2026-11-25T23:40:24Z',
    performer: 'yard@127.0.0.1',
    destination: 'staging',
    role: null,
    text: 'Pulled image with version v1',
  });
  expect(lines[3]).toMatchObject({ role: 'web', text: 'Booted app version v1' });
});

describe('the configuration', () => {
  // As Kamal 2.11.0 prints it, with what a redaction has left of a line.
  const printed = [
    '---',
    ':roles:',
    '- web',
    '- workers',
    ':hosts:',
    '- "::1"',
    '- gh_worker_1',
    '- 10.0.0.1',
    ':primary_host: "::1"',
    ':version: unversioned',
    ':ssh_options:',
    '  :key_data:',
    '  - [redacted] and more',
  ].join('\n');

  it('names roles and hosts', () => {
    expect(parseConfig(printed)).toEqual({ roles: ['web', 'workers'], hosts: ['::1', 'gh_worker_1', '10.0.0.1'], primaryHost: '::1' });
  });

  it.each(['', 'hello', printed.replace(':hosts:', ':hosts: []'), printed.replace(/:primary_host.*/, '')])('is none in %j', (output) => {
    expect(parseConfig(output)).toBeNull();
  });
});
