/** The one vocabulary of health, from the probe to every page (design §6.3). */
export const healthStatuses = ['healthy', 'degraded', 'offline'] as const;
export type Health = (typeof healthStatuses)[number];

export interface HealthFacts {
  /** What the two ports said; null when nobody knows, since nobody has asked them lately. A 503 with a JSON body is an answer. */
  ports: { isApiUp: boolean; isWorkerUp: boolean } | null;
  /** What the registry says of the host's workers: all beat, some do, none does, all are offline, or there is none. */
  registry: 'beating' | 'some' | 'silent' | 'offline' | 'none';
}

/** API and worker port: healthy; one of them: degraded; none: offline. Where ports and registry disagree, the worse of both, with its reason. */
export const judgeHealth = (facts: HealthFacts): { health: Health; reason: string } => {
  const byPorts = judgePorts(facts.ports);
  const byRegistry = judgeRegistry(facts.registry);
  return rank(byRegistry.health) > rank(byPorts.health) ? byRegistry : byPorts;
};

/**
 * What a probe still says of the ports: all of it while it is fresh, and afterwards that neither answered, since what was last seen offline does not get
 * better by ageing.
 */
export const portsOf = (probe: ProbeFacts | null | undefined): HealthFacts['ports'] => {
  if (!probe || (!probe.isFresh && (probe.isApiUp || probe.isWorkerUp))) return null;
  return { isApiUp: probe.isApiUp, isWorkerUp: probe.isWorkerUp };
};

/** What a probe said, and whether it still counts. */
export interface ProbeFacts {
  isFresh: boolean;
  isApiUp: boolean;
  isWorkerUp: boolean;
}

const rank = (health: Health): number => healthStatuses.indexOf(health);

const judgePorts = (ports: HealthFacts['ports']): { health: Health; reason: string } => {
  if (ports === null) return { health: 'degraded', reason: 'its ports have not been asked lately' };
  if (ports.isApiUp && ports.isWorkerUp) return { health: 'healthy', reason: 'API and worker port answer' };
  if (ports.isApiUp) return { health: 'degraded', reason: 'the API answers, the worker port does not' };
  if (ports.isWorkerUp) return { health: 'degraded', reason: 'the worker port answers, the API does not' };
  return { health: 'offline', reason: 'neither port answers' };
};

const judgeRegistry = (registry: HealthFacts['registry']): { health: Health; reason: string } => {
  switch (registry) {
    case 'beating':
      return { health: 'healthy', reason: 'its workers beat' };
    case 'some':
      return { health: 'degraded', reason: 'some of its workers have not beaten lately' };
    case 'silent':
      return { health: 'degraded', reason: 'no worker of it has beaten lately' };
    case 'none':
      return { health: 'degraded', reason: 'no worker is registered there' };
    case 'offline':
      return { health: 'offline', reason: 'its workers are offline in the registry' };
  }
};
