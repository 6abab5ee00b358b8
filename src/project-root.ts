import { existsSync } from 'node:fs';
import path from 'node:path';

/** The folder of package.json, found from the sources as well as from the compiled files, in dist, in .yardmaster/build and in the image. */
export function projectRoot(): string {
  let folder = __dirname;
  while (!existsSync(path.join(folder, 'package.json'))) {
    const parent = path.dirname(folder);
    if (parent === folder) throw new Error(`No package.json above ${__dirname}`);
    folder = parent;
  }
  return folder;
}
