/** The REST side: one call, its failures as one kind of error. */

import { readMe, readPosts, readRoom, readRoomPage } from '../core/wire.ts';
import type { Me, Post, Room, RoomPage } from '../core/wire.ts';

const LIMIT_MS = 20_000;
/** A password may have to wait for its turn; longer than http.answer_timeout. */
const PASSWORD_LIMIT_MS = 60_000;
const TRIES = 4;

/** status 0: there was no answer. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** How long the server asks us to wait; null: it does not say. */
    readonly waitMs: number | null,
  ) {
    super(message);
  }
}

function waitOf(response: Response): number | null {
  const seconds = Number(response.headers.get('Retry-After') ?? NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : null;
}

function textOf(body: unknown): string | null {
  const error = typeof body === 'object' && body !== null ? (body as { error?: unknown }).error : null;
  return typeof error === 'string' ? error : null;
}

async function call(
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
  limitMs = LIMIT_MS,
): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      credentials: 'same-origin',
      keepalive: method === 'POST', // what was begun is done, also when the page goes away
      signal: AbortSignal.timeout(limitMs),
      ...(body === undefined
        ? {}
        : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
    });
  } catch {
    throw new Refusal(0, 'The server cannot be reached', null);
  }
  const answer: unknown = await response.json().catch(() => null);
  if (!response.ok)
    throw new Refusal(response.status, textOf(answer) ?? 'Something went wrong', waitOf(response));
  return answer;
}

function must<T>(value: T | null): T {
  if (value === null) throw new Refusal(0, 'The server gave an answer that makes no sense', null);
  return value;
}

export const api = {
  async register(username: string, email: string, password: string): Promise<void> {
    await call('POST', '/auth/register', { username, email, password }, PASSWORD_LIMIT_MS);
  },
  async login(username: string, password: string): Promise<void> {
    await call('POST', '/auth/login', { username, password }, PASSWORD_LIMIT_MS);
  },
  async logout(): Promise<void> {
    await call('POST', '/auth/logout');
  },
  async me(): Promise<Me> {
    return must(readMe(await call('GET', '/auth/me')));
  },
  async rooms(cursor: string | null, limit: number): Promise<RoomPage> {
    const from = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    return readRoomPage(await call('GET', `/chatrooms?limit=${limit}${from}`));
  },
  async create(name: string, ephemeral: boolean): Promise<Room> {
    return must(readRoom(await call('POST', '/chatrooms', ephemeral ? { name, ephemeral } : { name })));
  },
  async join(room: string): Promise<void> {
    await call('POST', `/chatrooms/${encodeURIComponent(room)}/join`);
  },
  /** Oldest first; the newest `limit` of those before the post `before`, if given. */
  async messages(room: string, limit: number, before: string | null): Promise<Post[]> {
    const until = before === null ? '' : `&before=${encodeURIComponent(before)}`;
    return readPosts(
      await call('GET', `/chatrooms/${encodeURIComponent(room)}/messages?limit=${limit}${until}`),
    );
  },
};

/** Runs a call again when the server asks for patience (429, 503), as long as it is still wanted. */
export async function patiently<T>(run: () => Promise<T>, isWanted: () => boolean): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      const busy = error instanceof Refusal && (error.status === 429 || error.status === 503);
      if (!busy || attempt === TRIES || !isWanted()) throw error;
      await new Promise((resolve) => setTimeout(resolve, (error.waitMs ?? 1000) + Math.random() * 250));
    }
  }
}
