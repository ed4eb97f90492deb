/**
 * Who is in the room. A server that is asked says who is here when we come in, and from there on people come
 * and go. One that does not know how names people when they come, go or write, and counts connections: there a
 * person is here from the first sign of them to their last connection's end.
 */

import type { Member } from './wire.ts';

export class Presence {
  /** Connections per name that we know of. */
  private people = new Map<string, number>();
  /** People who are here and were left out of a long list; null: nobody has told us who is here. */
  private leftOut: number | null = null;
  /** Connections in the room, of all people. */
  connections = 0;
  version = 0;

  /** We have just come in ourselves, and know nothing of others yet. */
  reset(): void {
    this.people.clear();
    this.leftOut = null;
    this.version++;
  }

  /** Takes the place of all we knew; we ourselves are in it only once we have joined. */
  listed(members: readonly Member[], more: number): void {
    this.people = new Map(members.map(({ username, connections }) => [username, connections]));
    this.leftOut = more;
    this.version++;
  }

  joined(username: string): void {
    this.people.set(username, (this.people.get(username) ?? 0) + 1);
    this.version++;
  }

  left(username: string): void {
    const known = this.people.get(username) ?? 0;
    if (known > 1) this.people.set(username, known - 1);
    else if (known === 1) this.people.delete(username);
    else this.named();
    this.version++;
  }

  wrote(username: string): void {
    if (this.people.has(username)) return;
    if (this.leftOut === 0) return; // who is not on a complete list has gone since
    this.named();
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

  /** People who are here and have no name on the list. */
  get more(): number {
    return this.leftOut ?? 0;
  }

  /** Connections that nobody has been named for, as long as nobody says who is here. */
  get unnamed(): number {
    if (this.leftOut !== null) return 0;
    let named = 0;
    for (const n of this.people.values()) named += n;
    return Math.max(0, this.connections - named);
  }

  /** Somebody of those who were left out is not any more. */
  private named(): void {
    if (this.leftOut) this.leftOut--;
  }
}
