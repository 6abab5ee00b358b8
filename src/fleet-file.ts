import { readFile, stat } from 'node:fs/promises';
import { noFleetConfig, type FleetConfig } from './contracts/fleet-config';
import { parseFleetConfig } from './domain/fleet-config';

/** The fleet as its owner wrote it down; the registry says what is there. */
export interface FleetConfigSource {
  /** Reads it again; what is wrong with it comes back as sentences, never as an error. */
  read(): Promise<FleetConfig>;
  /** As it was read last. */
  current(): FleetConfig;
}

/** A fleet of some thousand entries is a megabyte; more is another file. */
const fileBytesMax = 4 * 2 ** 20;

/** FLEET_CONFIG wins over the file, as at ATM (atm §3). */
export const createFleetConfigSource = ({ inline, file }: { inline: string | null; file: string | null }): FleetConfigSource => {
  let current = inline === null ? noFleetConfig : parseFleetConfig(inline, 'FLEET_CONFIG');
  return {
    async read() {
      if (inline === null && file !== null) current = await readFleetFile(file);
      return current;
    },
    current: () => current,
  };
};

const readFleetFile = async (file: string): Promise<FleetConfig> => {
  try {
    const { size } = await stat(file);
    if (size > fileBytesMax) return { servers: [], problems: [`${file}: is larger than ${fileBytesMax} bytes`] };
    return parseFleetConfig(await readFile(file, 'utf8'), file);
  } catch (error) {
    return {
      servers: [],
      problems: [`${file}: cannot be read (${String(Reflect.get(Object(error), 'code'))})`],
    };
  }
};
