import { setCurrentDetails } from '@temporalio/workflow';
import type { DeployView } from '../../src/contracts/deploy';
import { searchAttributes } from '../../src/contracts/messages';
import { showAttributes } from './show-attributes';

/** What operators see in the Web UI and the CLI: current details that follow the story, and attributes to search by. */
export const showDeploy = (deploy: DeployView): void => {
  setCurrentDetails(
    [
      `**${deploy.outcome ?? deploy.phase}** ${deploy.kind} of \`${deploy.resolvedVersion ?? deploy.version}\` to ${deploy.destination} by ${deploy.actor}${deploy.detail === '' ? '' : `: ${deploy.detail}`}`,
      `Deploy \`${deploy.deployId}\`${deploy.direction === 'back' ? ', the version before is put back' : ''}`,
      // Deploys of before there were standstills have none.
      ...(deploy.standstill ? [`**Stands still** since ${deploy.standstill.since}: ${deploy.standstill.detail}`] : []),
      ...tableOf(deploy),
      ...deploy.checks
        .filter(({ isOk }) => !isOk)
        .map(({ check, host, detail }) => `- ${check}${host === null ? '' : ` on ${host}`}: ${detail}`),
      ...deploy.disagreements.map(({ host, expected, found }) => `- ${host ?? 'Kamal'}: ${expected} expected, ${found} found`),
      ...deploy.jobs.map(({ jobId, host, state }) => `- job ${jobId} on ${host}: ${state}`),
    ].join('\n\n'),
  );
  const wanted: Partial<Record<string, string>> = {
    [searchAttributes.state.name]: deploy.phase,
    [searchAttributes.destination.name]: deploy.destination,
    [searchAttributes.version.name]: deploy.resolvedVersion ?? deploy.version,
    [searchAttributes.actor.name]: deploy.actor,
    ...(deploy.outcome === null ? {} : { [searchAttributes.outcome.name]: deploy.outcome }),
  };
  showAttributes(wanted);
};

const tableOf = ({ hosts }: DeployView): string[] =>
  hosts.length === 0
    ? []
    : [
        [
          '| host | batch | state | before | now |',
          '|---|---|---|---|---|',
          ...hosts.map(
            ({ host, batch, state, versionBefore, versionNow }) =>
              `| ${host} | ${batch} | ${state} | ${versionBefore ?? '-'} | ${versionNow ?? '-'} |`,
          ),
        ].join('\n'),
      ];
