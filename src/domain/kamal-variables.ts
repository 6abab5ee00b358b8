/** Orders of Kamal's own, `KAMAL_LOCK` above all; `KAMAL_REGISTRY_…` are the names of ATM's and everybody's secrets (atm §2.4). */
export const isKamalsOwn = (name: string): boolean => name.startsWith('KAMAL_') && !name.startsWith('KAMAL_REGISTRY_');
