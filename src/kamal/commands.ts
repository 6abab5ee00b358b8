/** The arguments of one Kamal command, without a secret among them: everybody on the machine can read them. */
export interface KamalCommand {
  /** For a person: `app stop`. */
  name: string;
  args: readonly string[];
}

export const version = (): KamalCommand => ({ name: 'version', args: ['version'] });
