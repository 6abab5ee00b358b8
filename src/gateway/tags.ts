/** What the paths are grouped by, in the order in which the documents show them. */
export const tags = {
  Jobs: 'Submitting a job and reading what became of it.',
  Commands: 'What a person or a program asks of a job: cancel, resume, retry, resolve.',
  Workers: 'What GH workers say about their attempts.',
  Fleet: 'Hosts and workers, and what keeps them from new jobs.',
  Deploys: "Deploys and rollbacks by Kamal, their logs, and Kamal's locks.",
  Session: 'Signing in with a browser, and the page that it shows then.',
  Audit: 'Who did what.',
  Health: 'For monitors and load balancers.',
  Documents: 'This document, for programs and for people.',
  "The product's client": "The paths of VALET's client, in GH's words.",
  "The product's administration": "What the product's administration reads and does, in GH's words.",
  ATM: "ATM's paths about deploys, in its shapes.",
  "ATM's dashboard": "The other paths of ATM's dashboard and of VALET's fleet client, in ATM's shapes.",
} as const;

export type Tag = keyof typeof tags;
