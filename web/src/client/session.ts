/**
 * Who is logged in in this browser. Its tabs share one cookie, so they tell each other of logins and logouts:
 * a page must not go on for one person with the session of another.
 *
 * A logout holds in this browser at once; the server is told as soon as it can be. Until it was, the cookie is
 * still good, so a mark outlasts reloads, and no page of this browser opens the chat with it.
 */

import { Refusal, api } from './api.ts';
import { forgetAll, forgetOthers } from './keep.ts';
import { Watched } from './watched.ts';
import type { Me } from '../core/wire.ts';

const CHANNEL = 'confab.session';
const MARK = 'confab.leaving';

/** What another tab has done. */
export type News = { is: 'in'; user: string } | { is: 'out' };

/** telling: the server is being told; untold: that failed, or another tab does it; told: it knows. */
export type Leaving = 'no' | 'telling' | 'untold' | 'told';

function readMark(): boolean {
  try {
    return localStorage.getItem(MARK) !== null;
  } catch {
    return false; // forbidden: then this page alone knows
  }
}

function setMark(isLeaving: boolean): void {
  try {
    if (isLeaving) localStorage.setItem(MARK, '1');
    else localStorage.removeItem(MARK);
  } catch {
    /* see above */
  }
}

class Session extends Watched {
  leaving: Leaving = readMark() ? 'untold' : 'no';
  private channel = 'BroadcastChannel' in window ? new BroadcastChannel(CHANNEL) : null;
  private telling: Promise<void> | null = null;

  constructor() {
    super();
    window.addEventListener('storage', ({ key, newValue }) => {
      if (key === MARK && this.telling === null) this.set(newValue === null ? 'no' : 'untold');
    });
    window.addEventListener('online', () => this.isLeaving && void this.tell());
  }

  /** Somebody has left who may still be logged in. */
  get isLeaving(): boolean {
    return this.leaving === 'telling' || this.leaving === 'untold';
  }

  /** Tells of what other tabs do; drafts of who is gone are gone when it does. */
  listen(take: (news: News) => void): () => void {
    const onMessage = ({ data }: MessageEvent<News>): void => {
      take(data);
      if (data.is === 'out') forgetAll();
      else forgetOthers(data.user);
    };
    this.channel?.addEventListener('message', onMessage);
    return () => this.channel?.removeEventListener('message', onMessage);
  }

  async login(username: string, password: string): Promise<void> {
    /* The answer to a logout takes the cookie away, so it must be there before the new one comes. */
    if (this.isLeaving) await this.tell();
    await api.login(username, password);
    setMark(false);
    this.set('no');
  }

  /** The page is theirs from now on. */
  entered(me: Me): void {
    forgetOthers(me.id);
    this.say({ is: 'in', user: me.id });
  }

  logout(): void {
    forgetAll();
    setMark(true);
    this.say({ is: 'out' });
    void this.tell();
  }

  /** Ends the session at the server, or finds that it has ended. */
  tell(): Promise<void> {
    this.telling ??= this.tellNow().finally(() => (this.telling = null));
    return this.telling;
  }

  private async tellNow(): Promise<void> {
    this.set('telling');
    try {
      await api.logout();
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 401) return this.set('untold');
    }
    setMark(false);
    this.set('told');
  }

  private say(news: News): void {
    this.channel?.postMessage(news);
  }

  private set(leaving: Leaving): void {
    this.leaving = leaving;
    this.changed();
  }
}

export const session = new Session();
