import type { SweepItem } from '../contracts/sweep';

/** VALET sends whatever concerns a machine to that machine's own API, past us, unless its sandbox has this tag (valet §1.5). */
const tag = 'tags.atm_fleet_id';

/** A sandbox of the product's that is a machine with an address. */
export interface MachineSandbox {
  sandboxId: string;
  address: string;
  hasFleetId: boolean;
}

/** Why commands for a machine with these sandboxes go around the gateway; null where they come to it. */
export const wayAround = (ofHost: readonly MachineSandbox[], { showsWorkerId }: { showsWorkerId: boolean }): string | null => {
  if (ofHost.some(({ hasFleetId }) => !hasFleetId)) return `its sandbox has no ${tag}`;
  if (showsWorkerId && ofHost.length === 0) return `PRODUCT_SEES_WORKER_ID is true, and no sandbox with ${tag} has its address`;
  return null;
};

/** What of the set-up sends commands around us: each sandbox that does by its row alone, and what came of late by rows. */
export const listWaysAround = ({
  sandboxes,
  commands,
}: {
  sandboxes: readonly MachineSandbox[];
  commands: readonly { kind: string; commands: number }[];
}): SweepItem[] => {
  const untagged = sandboxes.filter(({ hasFleetId }) => !hasFleetId);
  const findings: SweepItem[] = untagged.map(({ sandboxId, address }) => ({
    finding: 'sandbox_leads_around',
    subject: sandboxId,
    detail: `${address}: set ${tag}`,
  }));
  if (commands.length === 0) return findings;
  const came = commands.map((each) => `${each.commands} ${each.kind}`).join(', ');
  const cause =
    untagged.length > 0
      ? `sandboxes without ${tag}: ${untagged.length}`
      : 'no sandbox leads around us: VALET runs without ATM_BASE_URL, or a task was cancelled in VALET alone';
  return [...findings, { finding: 'commands_go_around', subject: 'public rows', detail: `${came}; ${cause}` }];
};
