import { isMovingTag, looksImmutable } from '../../src/domain/moving-tag';
import type { KamalSession } from '../../src/kamal/kamal';

/** The immutable tag that a version means, or why there is none (domain/moving-tag has the rule). */
export const resolveVersion = async (
  { registry, destination }: Pick<KamalSession, 'registry' | 'destination'>,
  version: string,
  signal: AbortSignal,
): Promise<{ version: string | null; detail: string }> => {
  if (registry === null) return { version: null, detail: 'the configuration names no registry that can be asked' };
  try {
    if ((await registry.findDigest(version, signal)) === null) return { version: null, detail: `the registry has no tag ${version}` };
    if (looksImmutable(version)) return { version, detail: `${version} is in the registry` };
    const immutable = await registry.findImmutableTag(version, signal);
    if (immutable !== null) return { version: immutable, detail: `${version} means ${immutable}` };
    if (isMovingTag(version, destination.destination))
      return { version: null, detail: `${version} moves, and no immutable tag has the same digest` };
    return { version, detail: `${version} is in the registry` };
  } catch (error) {
    signal.throwIfAborted();
    return { version: null, detail: `the registry could not be asked: ${error instanceof Error ? error.message : String(error)}` };
  }
};
