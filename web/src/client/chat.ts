/** What a logged-in person has: the list of rooms, the open ones, and which of them is on the page. */

import { Refusal, api, patiently } from './api.ts';
import { OpenRoom } from './room.ts';
import { Watched } from './watched.ts';
import { RoomList } from '../core/rooms.ts';
import type { Me, Room } from '../core/wire.ts';

const POLL_MS = 30_000;
const FIRST_PAGE = 50;
const PAGE = 100;
/** The rooms visited last stay connected, so that they can say what is new in them. */
export const OPEN_MAX = 4;

/** asked: the person wants to leave; ended: the session is over; replaced: the browser is someone else's now. */
export type ChatEnd = 'asked' | 'ended' | 'replaced';

export class Chat extends Watched {
  readonly list = new RoomList();
  /** The one on the page. */
  room: OpenRoom | null = null;
  isListing = false;
  listError: string | null = null;
  private opened: OpenRoom[] = []; // the one looked at last comes first
  private poll: ReturnType<typeof setInterval>;

  constructor(
    readonly me: Me,
    private readonly onEnd: (why: ChatEnd) => void,
  ) {
    super();
    this.poll = setInterval(() => this.isVisible() && this.refresh(), POLL_MS);
    document.addEventListener('visibilitychange', this.onLook);
    window.addEventListener('focus', this.onLook);
    window.addEventListener('online', this.onOnline);
    void this.loadMore(FIRST_PAGE);
  }

  close(): void {
    clearInterval(this.poll);
    document.removeEventListener('visibilitychange', this.onLook);
    window.removeEventListener('focus', this.onLook);
    window.removeEventListener('online', this.onOnline);
    for (const room of this.opened) this.shut(room);
  }

  logout(): void {
    this.onEnd('asked');
  }

  /** Throws unless the session is still that of the person whose page this is; another tab may have changed it. */
  private async confirm(): Promise<void> {
    const now = await api.me();
    if (now.id === this.me.id) return;
    this.onEnd('replaced');
    throw new Refusal(401, 'Someone else has logged in', null);
  }

  private isVisible = (): boolean => document.visibilityState === 'visible';

  private onLook = (): void => {
    this.room?.setWatched(this.isVisible());
    if (this.isVisible()) void this.refresh();
  };

  private onOnline = (): void => {
    for (const room of this.opened) room.wake();
  };

  // ---- open rooms

  get unread(): number {
    return this.opened.reduce((sum, { unread }) => sum + unread, 0);
  }

  openRoom(id: string): OpenRoom | undefined {
    return this.opened.find((room) => room.id === id);
  }

  /** Puts a room on the page; null: none. */
  show(id: string | null): void {
    if (this.room?.id === id) return;
    this.room?.setWatched(false);
    this.room = null;
    if (id !== null) {
      const known = this.openRoom(id);
      const room =
        known && known.connection.phase !== 'ended'
          ? known
          : new OpenRoom(id, this.me, {
              counts: (counts) => {
                this.list.counted(counts);
                this.changed();
              },
              confirm: () => this.confirm(),
              signedOut: () => this.onEnd('ended'),
              noticed: () => this.changed(),
            });
      if (known && known !== room) this.shut(known);
      this.opened = [room, ...this.opened.filter((one) => one !== room)];
      this.opened.slice(OPEN_MAX).forEach((one) => this.shut(one));
      this.room = room;
      room.setWatched(this.isVisible());
      void this.seekOpened(room);
    }
    this.changed();
  }

  private shut(room: OpenRoom): void {
    this.opened = this.opened.filter((one) => one !== room);
    room.leave();
  }

  // ---- the list

  async create(name: string, ephemeral: boolean): Promise<Room> {
    const room = await api.create(name, ephemeral);
    this.list.add(room);
    this.changed();
    return room;
  }

  /** The next older page. */
  async loadMore(limit = PAGE): Promise<void> {
    const { cursor } = this.list;
    if (this.isListing || cursor === null) return;
    await this.listing(async () => {
      const page = await patiently(
        () => api.rooms(cursor ?? null, limit),
        () => true,
      );
      this.list.append(page);
    });
  }

  /** The newest page again; more of them when more rooms were made than it holds. */
  async refresh(): Promise<void> {
    if (this.isListing) return;
    if (this.list.cursor === undefined) return this.loadMore(FIRST_PAGE);
    await this.listing(async () => {
      this.list.refresh(await api.rooms(null, FIRST_PAGE));
    });
  }

  /** An open room has a name. What the list does not hold is newer than it, or on a page to come. */
  private async seekOpened(room: OpenRoom): Promise<void> {
    const isFound = (): boolean => this.list.get(room.id) !== undefined;
    const isWanted = (): boolean => this.room === room;
    const wasEmpty = this.list.cursor === undefined; // then what comes first is new enough
    while (this.isListing) await new Promise((resolve) => setTimeout(resolve, 50));
    if (!wasEmpty && !isFound() && isWanted()) await this.refresh();
    await this.seek(isFound, isWanted);
  }

  /** Loads pages until it is found, or all are here, or nobody waits for it any more. */
  async seek(isFound: () => boolean, isWanted: () => boolean): Promise<void> {
    while (!isFound() && !this.list.isComplete && isWanted()) {
      if (this.isListing) await new Promise((resolve) => setTimeout(resolve, 50));
      else await this.loadMore();
      if (this.listError !== null) return;
    }
  }

  private async listing(work: () => Promise<void>): Promise<void> {
    this.isListing = true;
    this.changed();
    try {
      await work();
      this.listError = null;
    } catch (error) {
      if (error instanceof Refusal && error.status === 401) this.onEnd('ended');
      this.listError = error instanceof Error ? error.message : String(error);
    }
    this.isListing = false;
    this.changed();
  }
}
