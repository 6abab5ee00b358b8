import { listWaysAround, wayAround, type MachineSandbox } from '../../../src/domain/way-around';

const tagged: MachineSandbox = { sandboxId: 'sandbox-1', address: '10.0.0.1', hasFleetId: true };
const untagged: MachineSandbox = { sandboxId: 'sandbox-2', address: '10.0.0.2', hasFleetId: false };

describe('commands for a machine', () => {
  it.each<[what: string, ofHost: MachineSandbox[], showsWorkerId: boolean, reason: unknown]>([
    ['come to us by its tag', [tagged], true, null],
    ['go around us without one', [untagged], false, expect.stringContaining('no tags.atm_fleet_id')],
    ['come to us where nobody names its worker', [], false, null],
    ['go around us where its worker is named and no sandbox leads back', [], true, expect.stringContaining('PRODUCT_SEES_WORKER_ID')],
  ])('%s', (_what, ofHost, showsWorkerId, reason) => {
    expect(wayAround(ofHost, { showsWorkerId })).toEqual(reason);
  });

  it('go around us where one of two rows with its address has no tag', () => {
    expect(wayAround([tagged, untagged], { showsWorkerId: false })).not.toBeNull();
  });
});

describe('the fault of the set-up', () => {
  it('is named for each sandbox without a tag before any command goes around', () => {
    expect(listWaysAround({ sandboxes: [tagged, untagged], commands: [] })).toEqual([
      { finding: 'sandbox_leads_around', subject: 'sandbox-2', detail: '10.0.0.2: set tags.atm_fleet_id' },
    ]);
  });

  it.each<[cause: string, sandboxes: MachineSandbox[], detail: RegExp]>([
    ['its sandboxes', [tagged, untagged], /^1 cancel, 2 resume; sandboxes without tags\.atm_fleet_id: 1$/],
    ['VALET itself where every sandbox is tagged', [tagged], /without ATM_BASE_URL/],
    ['VALET itself where there are none', [], /without ATM_BASE_URL/],
  ])('is %s when commands came by rows', (_cause, given, detail) => {
    const commands = [
      { kind: 'cancel', commands: 1 },
      { kind: 'resume', commands: 2 },
    ];
    expect(listWaysAround({ sandboxes: given, commands }).at(-1)).toMatchObject({
      finding: 'commands_go_around',
      detail: expect.stringMatching(detail),
    });
  });

  it('is nothing where all is as it must be', () => {
    expect(listWaysAround({ sandboxes: [tagged], commands: [] })).toEqual([]);
  });
});
