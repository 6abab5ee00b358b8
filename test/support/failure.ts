import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { projectRoot } from '../../src/project-root';

/** Set by test/support/environment.ts; for `afterAll`. */
export function hasFailedTest(): boolean {
  return Reflect.get(globalThis, 'hasFailedTest') === true;
}

/** The test file without folders and endings: names databases, namespaces and artifacts after it. */
export function testFileName(): string {
  return path.basename(expect.getState().testPath ?? 'unknown', '.test.ts');
}

/** Writes evidence of a failure and answers where it is. */
export async function writeArtifact(name: string, content: string): Promise<string> {
  const folder = path.join(projectRoot(), 'test/.artifacts');
  await mkdir(folder, { recursive: true });
  const file = path.join(folder, name.replaceAll(/[^\w.-]+/g, '_'));
  await writeFile(file, content);
  return file;
}
