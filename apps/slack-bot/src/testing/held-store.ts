/**
 * Ports whose calls can be made to hang, as they do while a database does not answer.
 */
export function holdable() {
  let gate: Promise<void> | null = null;
  let ended = 0;

  /** The same port; its calls wait while the gate is shut. */
  function port<T extends object>(real: T): T {
    return new Proxy(real, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== 'function') return member;
        return async (...args: unknown[]): Promise<unknown> => {
          const shut = gate;
          if (shut !== null) await shut;
          const result: unknown = await Reflect.apply(member, target, args);
          if (shut !== null) ended += 1;
          return result;
        };
      },
    });
  }

  return {
    port,
    /** An object of ports. */
    ports<T extends object>(real: T): T {
      const made = Object.entries(real).map(([name, member]: [string, unknown]) => [
        name,
        typeof member === 'object' && member !== null ? port(member) : member,
      ]);
      // The same members under the same names.
      return Object.fromEntries(made) as T;
    },
    /** From now on calls hang, until what it answers is called. */
    hold(): () => void {
      ended = 0;
      let open = () => {};
      gate = new Promise((resolve) => {
        open = () => {
          gate = null;
          resolve();
        };
      });
      return open;
    },
    /** How many of the calls that hung have ended. */
    ended: () => ended,
  };
}
