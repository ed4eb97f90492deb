/**
 * What was made for each of many things, to be made anew only for those that have changed: a list of
 * thousands costs a comparison for each and the work of few.
 */

interface Made<T> {
  of: readonly unknown[];
  made: T;
}

export class Memo<T> {
  private kept = new Map<string, Made<T>>();

  /**
   * A new round. What it returns gives the thing named `id` as it was made last time, if that was of the same
   * parts, or makes it. What is not asked for in a round is forgotten.
   */
  round(): (id: string, of: readonly unknown[], make: () => T) => T {
    const before = this.kept;
    const kept = new Map<string, Made<T>>();
    this.kept = kept;
    return (id, of, make) => {
      const was = before.get(id);
      const isSame = was?.of.length === of.length && of.every((part, i) => part === was.of[i]);
      const made = isSame ? was.made : make();
      kept.set(id, { of, made });
      return made;
    };
  }
}
