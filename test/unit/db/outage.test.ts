import { findRefusal, isDatabaseOutage, isLostRace, isPermanentRefusal, isReadOnly, isSessionSpent } from '../../../src/db/outage';

const sqlError = (code: string): Error => Object.assign(new Error('of Postgres'), { code });

describe('what Postgres says', () => {
  it.each([
    ['08006', 'the connection broke'],
    ['08P01', 'a pooler has no connection'],
    ['25006', 'no writes: a standby, or a full disk at a provider'],
    ['25P03', 'idle in a transaction for too long'],
    ['25P04', 'a transaction took too long'],
    ['40001', 'serialization'],
    ['40P01', 'a deadlock'],
    ['53100', 'the disk is full'],
    ['53300', 'too many connections'],
    ['55P03', 'a lock was not to be had'],
    ['57014', 'a statement took too long'],
    ['57P01', 'the session was ended'],
    ['57P03', 'the server starts'],
    ['58030', 'the disk fails'],
  ])('%s is an outage: %s', (code) => {
    expect(isDatabaseOutage(sqlError(code))).toBe(true);
    expect(isPermanentRefusal(sqlError(code))).toBe(false);
  });

  it.each([
    ['22001', 'too long'],
    ['22003', 'out of range'],
    ['22021', 'a NUL, or half a character'],
    ['22P02', 'no such uuid'],
    ['22P05', 'a character that jsonb cannot hold'],
    ['23502', 'a field is missing'],
    ['23514', 'a rule of the table'],
  ])('%s is refused for good: %s', (code) => {
    expect(isPermanentRefusal(sqlError(code))).toBe(true);
    expect(isDatabaseOutage(sqlError(code))).toBe(false);
  });

  it.each([
    ['23503', 'the row that it names was just deleted'],
    ['23505', 'somebody else was quicker'],
    ['23P01', 'the same of a range'],
    ['42501', 'no privilege, which can be granted'],
    ['42P01', 'no such table, which a migration makes'],
  ])('%s is neither: %s', (code) => {
    expect([isDatabaseOutage(sqlError(code)), isPermanentRefusal(sqlError(code))]).toEqual([false, false]);
  });

  it('is told from what Node says', () => {
    const ofNode = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', syscall: 'connect' });
    expect(isDatabaseOutage(ofNode)).toBe(true);
    expect(findRefusal(ofNode)).toBeNull();
    expect(isDatabaseOutage(Object.assign(new Error('argument'), { code: 'ERR_INVALID_ARG_TYPE' }))).toBe(false);
    expect(isDatabaseOutage(new Error('Client has encountered a connection error and is not queryable'))).toBe(true);
    expect(isDatabaseOutage(new Error('Query read timeout'))).toBe(true);
    expect(isDatabaseOutage(new Error('something else'))).toBe(false);
  });
});

it('a session that takes no writes, or has a plan of the schema before, is not used again', () => {
  expect(['25006', '0A000', '57014', '40001', '23505'].map((code) => isSessionSpent(sqlError(code)))).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
  expect([isReadOnly(sqlError('25006')), isReadOnly(sqlError('57014'))]).toEqual([true, false]);
  expect([isLostRace(sqlError('40P01')), isLostRace(sqlError('25006'))]).toEqual([true, false]);
});
