/** What a pass over the fleet found and did; no personal data, since it is a workflow's result. */
export interface SweepReport {
  /** Each finding's name → how many, including those beyond the listed ones. */
  counts: Record<string, number>;
  /** The first of them, for a person. */
  items: { finding: string; subject: string; detail: string }[];
}
