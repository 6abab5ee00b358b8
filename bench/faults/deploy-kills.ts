import path from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot } from '../../src/project-root';
import { runKillRound, type KillResult } from '../../test/support/deploy-kill-round';
import { phasesToHit, victims, whyLeftOut } from '../../test/support/deploy-kills';
import { startDeployRun } from '../../test/support/deploy-run';

/**
 * Everything that a deploy stands on, killed in every phase, several times each:
 * `node .yardmaster/build/bench/faults/deploy-kills.js [--runs 5] [--hosts 2] [--phase deploy] [--victim postgres]` (the last two repeatable). Ends with 1 when a promise
 * was broken.
 */
const main = async (): Promise<void> => {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '5' },
      phase: { type: 'string', multiple: true },
      victim: { type: 'string', multiple: true },
      hosts: { type: 'string', default: '2' },
      dir: { type: 'string', default: path.join(projectRoot(), '.yardmaster/deploy-kills') },
    },
  });
  const phases = phasesToHit.filter(({ phase }) => values.phase?.includes(phase) ?? true);
  const chosen = victims.filter((victim) => values.victim?.includes(victim) ?? true);
  const results: KillResult[] = [];
  const run = await startDeployRun({ dir: values.dir, destinations: phases.map(({ phase }) => phase), hostsOfEach: Number(values.hosts) });
  try {
    for (let turn = 0; turn < Number(values.runs); turn++) {
      for (const victim of chosen) {
        const startedAt = Date.now();
        const round = await runKillRound(run, victim, { phases, turn });
        results.push(...round);
        const summary = round.map(({ phase, outcome, endMs }) => `${phase} ${outcome} ${(endMs / 1_000).toFixed(1)} s`).join(', ');
        console.log(`${turn + 1} ${victim} (${((Date.now() - startedAt) / 1_000).toFixed(0)} s): ${summary}`);
        for (const { phase, faults } of round) for (const fault of faults) console.log(`  ✗ ${phase}: ${fault}`);
      }
    }
  } finally {
    await run.stop();
  }
  console.log(tableOf(results));
  process.exitCode = results.some(({ faults }) => faults.length > 0) ? 1 : 0;
};

/** In each cell: runs without a fault of all runs, how they ended, the slowest from the kill to the end; the last column is Kamal's, from the kill. */
const tableOf = (results: readonly KillResult[]): string => {
  const chosen = victims.filter((victim) => results.some((result) => result.victim === victim));
  const rows = phasesToHit.map((phase) => {
    const cells = chosen.map((victim) => {
      if (whyLeftOut(phase, victim) !== null) return '–';
      const runs = results.filter((result) => result.phase === phase.phase && result.victim === victim);
      const good = runs.filter(({ faults }) => faults.length === 0).length;
      const outcomes = [...new Set(runs.map(({ outcome }) => outcome ?? 'no end'))].join('/');
      return `${good}/${runs.length} ${outcomes} ${(Math.max(...runs.map(({ endMs }) => endMs)) / 1_000).toFixed(0)} s`;
    });
    return `| ${phase.phase} | ${cells.join(' | ')} |`;
  });
  const strays = chosen.map((victim) => {
    const ms = results.filter((result) => result.victim === victim).map(({ strayMs }) => strayMs);
    return `${(Math.max(...ms) / 1_000).toFixed(1)} s`;
  });
  return [
    `| phase | ${chosen.join(' | ')} |`,
    `|---${'|---'.repeat(chosen.length)}|`,
    ...rows,
    `| unowned at most | ${strays.join(' | ')} |`,
  ].join('\n');
};

void main();
