/** The list of rooms as it is known: pages from the newest down, refreshed from the top, searched by name. */

import type { Room, RoomPage } from './wire.ts';

/** Live counts are told of so many of the newest rooms. */
export const COUNTED_ROOMS = 500;

export class RoomList {
  rooms: Room[] = [];
  /** Where the next older page begins; undefined: nothing was loaded; null: all are here. */
  cursor: string | null | undefined = undefined;
  version = 0;
  private byId = new Map<string, Room>();

  get(id: string): Room | undefined {
    return this.byId.get(id);
  }

  get isComplete(): boolean {
    return this.cursor === null;
  }

  /** The page that follows the ones that are here. */
  append(page: RoomPage): void {
    const news = page.rooms.filter(({ id }) => !this.byId.has(id));
    page.rooms.forEach((room) => this.put(room));
    this.set([...this.rooms, ...news]);
    this.cursor = page.cursor;
  }

  /**
   * The newest page again. False: it meets nothing known, so there are more new rooms than it holds; the list
   * begins anew with it.
   */
  refresh(page: RoomPage): boolean {
    const meets =
      this.rooms.length === 0 || page.rooms.some(({ id }) => this.byId.has(id)) || page.cursor === null;
    const known = meets ? this.rooms : [];
    const paged = new Set(page.rooms.map(({ id }) => id));
    const at = known.findIndex(({ id }) => paged.has(id));
    const newer = known.slice(0, Math.max(0, at)); // one of our own that was made while the page was on its way
    const older = known.slice(newer.length).filter(({ id }) => !paged.has(id));
    if (!meets) this.byId.clear();
    page.rooms.forEach((room) => this.put(room));
    this.set([...newer, ...page.rooms, ...older]);
    if (!meets || this.cursor === undefined) this.cursor = page.cursor;
    return meets;
  }

  /** A room that we have just made. */
  add(room: Room): void {
    if (this.byId.has(room.id)) return;
    this.put(room);
    this.set([room, ...this.rooms]);
  }

  /** Live counts name every room with someone in it, so the others of those they tell of have nobody. */
  counted(counts: Map<string, number>): void {
    this.rooms.forEach((room, i) => {
      const count = counts.get(room.id);
      if (count !== undefined || i < COUNTED_ROOMS) room.userCount = count ?? 0;
    });
    this.version++;
  }

  /** Case and accents aside. */
  search(query: string): Room[] {
    const wanted = plain(query.trim());
    return wanted ? this.rooms.filter(({ name }) => plain(name).includes(wanted)) : this.rooms;
  }

  private put(room: Room): void {
    const known = this.byId.get(room.id);
    if (known) Object.assign(known, room);
    else this.byId.set(room.id, room);
  }

  /** In the server's order, which times in whole seconds do not tell. */
  private set(rooms: Room[]): void {
    this.rooms = rooms.map(({ id }) => this.byId.get(id)!);
    this.version++;
  }
}

function plain(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}
