export const redacted = '[redacted]';

/** A value that nothing prints: not a log line, not JSON, not an error message. Only `unredacted()` gives it, and that word is easy to search for. */
export class Sensitive<T> {
  // A private field is invisible to inspect, Object.entries, spread and structuredClone.
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  unredacted(): T {
    return this.#value;
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }

  [Symbol.toPrimitive](): string {
    return redacted;
  }

  /** The name under which util.inspect and console look for it; writing it out keeps Node's builtins away from the domain. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return redacted;
  }
}

export const sensitive = <T>(value: T): Sensitive<T> => new Sensitive(value);
