/** A Docker registry (API v2), asked about the one repository of the destination. */
export interface Registry {
  /** Digest of a tag's manifest; null: there is no such tag. */
  findDigest(tag: string, signal: AbortSignal): Promise<string | null>;
  listTags(signal: AbortSignal): Promise<string[]>;
  /** The immutable tag with the same digest as a moving one; null: there is none. */
  findImmutableTag(movingTag: string, signal: AbortSignal): Promise<string | null>;
}
