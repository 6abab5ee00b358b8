import { setCurrentDetails } from '@temporalio/workflow';
import type { CommandView } from '../../src/contracts/command';

/** Where a command went and why, for the Web UI and the CLI. */
export const showCommand = (command: CommandView): void =>
  setCurrentDetails(
    [
      `**${command.kind}** by ${command.actor}: ${command.outcome ?? 'under way'}${command.detail === '' ? '' : ` (${command.detail})`}`,
      ...(command.route === null ? [] : [`Route **${command.route.route}**: ${command.route.reason}`]),
      ...(command.route?.steps ?? []).map(({ lookedUp, found, reason }) => `- ${lookedUp}: ${found ?? 'nothing'} (${reason})`),
      ...command.means.map(({ means, result }) => `- ${means}: ${result}`),
    ].join('\n\n'),
  );
