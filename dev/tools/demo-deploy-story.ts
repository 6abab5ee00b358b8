import type { DeployView } from '../../src/contracts/deploy';
import { demoKeys, type DemoFleet } from './demo-fleet';
import { ask } from './demo-person';

interface Chapter {
  title: string;
  kind: 'deploy' | 'rollback';
  version: string;
  /** How it ends, and what runs everywhere then. */
  ends: DeployView['outcome'];
  runs: string;
}

const chapters: readonly Chapter[] = [
  { title: 'the first version', kind: 'deploy', version: 'demo-1', ends: 'succeeded', runs: 'demo-1' },
  { title: 'the next version', kind: 'deploy', version: 'demo-2', ends: 'succeeded', runs: 'demo-2' },
  { title: 'a version that does not start', kind: 'deploy', version: 'demo-3', ends: 'rolled_back', runs: 'demo-2' },
  { title: 'a rollback', kind: 'rollback', version: 'demo-1', ends: 'succeeded', runs: 'demo-1' },
];

/** Deploys, one after the other, with their logs as they come; true when each ended as it should. */
export const playDeploys = async (fleet: DemoFleet): Promise<boolean> => {
  let isRight = true;
  for (const chapter of chapters) {
    const startedAt = Date.now();
    const { title, kind, version } = chapter;
    console.log(`\n── ${kind} of ${version}: ${title}`);
    const order = { destination: fleet.deploys.destination, kind, version, reason: `the demo: ${title}` };
    const { deployId } = await ask<DeployView>(`${fleet.gatewayUrl}/v1/deploys`, order, demoKeys.deployer);
    await printLog(`${fleet.gatewayUrl}/v1/deploys/${deployId}/stream`);
    const deploy = await ask<DeployView>(`${fleet.gatewayUrl}/v1/deploys/${deployId}`);
    const isAsExpected = deploy.outcome === chapter.ends && deploy.hosts.every(({ versionNow }) => versionNow === chapter.runs);
    const running = deploy.hosts.map(({ host, versionNow }) => `${host} runs ${versionNow ?? 'nothing'}`).join(', ');
    const seconds = ((Date.now() - startedAt) / 1_000).toFixed(1);
    console.log(`${isAsExpected ? '✓' : '✗'} ${deploy.outcome ?? 'under way'} after ${seconds} s: ${running}`);
    if (!isAsExpected) console.log(`  It should have ended ${chapter.ends} with ${chapter.runs} everywhere. ${deploy.detail}`);
    isRight &&= isAsExpected;
  }
  return isRight;
};

/** Kamal's longest lines are whole shell scripts; the stored log has all of them. */
const columns = 150;

/** Several times what the slowest takes with the real Kamal on two busy cores. */
const deployEndsWithinMs = 600_000;

/** Reads the stream to its `end`. A browser would use EventSource, which also goes on by itself after a cut connection. */
const printLog = async (url: string): Promise<void> => {
  const response = await fetch(url, { headers: { 'x-api-key': demoKeys.deployer }, signal: AbortSignal.timeout(deployEndsWithinMs) });
  if (response.body === null) throw new Error(`${url} has no body`);
  let rest = '';
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const frames = (rest + text).split('\n\n');
    rest = frames.pop() ?? '';
    for (const frame of frames) {
      if (/^event: end$/m.test(frame)) return;
      const data = /^data: (.*)$/m.exec(frame)?.[1];
      if (data === undefined || frame.includes('event: gap')) continue;
      const { stream, line } = JSON.parse(data) as { stream: string; line: string };
      console.log(`   ${stream === 'yardmaster' ? '▸' : '│'} ${line}`.slice(0, columns));
    }
  }
};
