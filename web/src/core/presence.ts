/**
 * Who is in the room, as far as one can know who came after them: the contract names people when they come,
 * go or write, and counts connections. So a person is here from the first sign of them to their last
 * connection's end.
 */

export class Presence {
  /** Connections per name that we know of. */
  private people = new Map<string, number>();
  /** Connections in the room, of all people. */
  connections = 0;
  version = 0;

  /** We have just come in ourselves, and know nothing of others yet. */
  reset(): void {
    this.people.clear();
    this.version++;
  }

  joined(username: string): void {
    this.people.set(username, (this.people.get(username) ?? 0) + 1);
    this.version++;
  }

  left(username: string): void {
    const known = this.people.get(username) ?? 0;
    if (known > 1) this.people.set(username, known - 1);
    else this.people.delete(username);
    this.version++;
  }

  wrote(username: string): void {
    if (this.people.has(username)) return;
    this.people.set(username, 1);
    this.version++;
  }

  counted(connections: number): void {
    if (connections === this.connections) return;
    this.connections = connections;
    this.version++;
  }

  /** Names in order; ourselves first. */
  names(me: string): string[] {
    const others = [...this.people.keys()].filter((name) => name !== me).sort((a, b) => a.localeCompare(b));
    return this.people.has(me) ? [me, ...others] : others;
  }

  /** Connections that nobody has been named for. */
  get unnamed(): number {
    let named = 0;
    for (const n of this.people.values()) named += n;
    return Math.max(0, this.connections - named);
  }
}
