/**
 * What the server sends, checked before anything else sees it. Unknown members are ignored, an unknown or
 * ill-formed frame is null: a newer server must not break an older page.
 */

export interface Post {
  id: string;
  /** Orders the posts of a room: they have strictly increasing times. */
  key: string;
  userId: string;
  username: string;
  content: string;
  createdAt: string;
  isBot: boolean;
  isError: boolean;
}

export interface Room {
  id: string;
  name: string;
  createdAt: string;
  createdBy: string;
  isEphemeral: boolean;
  userCount: number;
}

export interface Me {
  id: string;
  username: string;
}

export interface RoomPage {
  rooms: Room[];
  /** Where the next page begins; null: this was the last. */
  cursor: string | null;
}

/** Someone who is in the room. */
export interface Member {
  username: string;
  connections: number;
}

export type Frame =
  | { type: 'chat_message'; post: Post }
  | { type: 'message_ack'; id: string; clientKey: string | null }
  | { type: 'user_joined' | 'user_left'; username: string }
  | { type: 'user_count_update'; counts: Map<string, number> }
  | { type: 'room_roster'; members: Member[]; more: number }
  | { type: 'error'; message: string; clientKey: string | null; waitMs: number | null };

type Members = Record<string, unknown>;

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const count = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;

/** The fraction comes without its trailing zeros, so that texts alone do not compare. */
export function timeKey(createdAt: string): string | null {
  const parts = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(createdAt);
  return parts ? `${parts[1]}.${(parts[2] ?? '').padEnd(6, '0').slice(0, 6)}` : null;
}

export function readPost(value: unknown): Post | null {
  if (!isObject(value)) return null;
  const id = text(value.id);
  const userId = text(value.user_id);
  const username = text(value.username);
  const content = text(value.content);
  const createdAt = text(value.created_at);
  const key = createdAt === null ? null : timeKey(createdAt);
  if (id === null || userId === null || username === null || content === null || createdAt === null || !key)
    return null;
  return {
    id,
    key,
    userId,
    username,
    content,
    createdAt,
    isBot: value.is_bot === true,
    isError: value.is_error === true,
  };
}

/** A page of history, oldest first. */
export function readPosts(value: unknown): Post[] {
  if (!isObject(value) || !Array.isArray(value.messages)) return [];
  return value.messages.map(readPost).filter((post): post is Post => post !== null);
}

export function readRoom(value: unknown): Room | null {
  if (!isObject(value)) return null;
  const id = text(value.id);
  const name = text(value.name);
  const createdAt = text(value.created_at);
  if (id === null || name === null || createdAt === null) return null;
  return {
    id,
    name,
    createdAt,
    createdBy: text(value.created_by) ?? '',
    isEphemeral: value.ephemeral === true,
    userCount: count(value.user_count) ?? 0,
  };
}

export function readRoomPage(value: unknown): RoomPage {
  if (!isObject(value) || !Array.isArray(value.chatrooms)) return { rooms: [], cursor: null };
  return {
    rooms: value.chatrooms.map(readRoom).filter((room): room is Room => room !== null),
    cursor: text(value.next_cursor) || null,
  };
}

export function readMe(value: unknown): Me | null {
  if (!isObject(value)) return null;
  const id = text(value.id);
  const username = text(value.username);
  return id === null || username === null ? null : { id, username };
}

function readCounts(value: unknown): Map<string, number> {
  const counts = new Map<string, number>();
  if (isObject(value))
    for (const [room, n] of Object.entries(value)) {
      const known = count(n);
      if (known !== null) counts.set(room, known);
    }
  return counts;
}

function readMember(value: unknown): Member | null {
  if (!isObject(value)) return null;
  const username = text(value.username);
  const connections = count(value.connections);
  return username === null || connections === null || connections < 1 ? null : { username, connections };
}

export function readFrame(data: string): Frame | null {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return null;
  }
  if (!isObject(value)) return null;
  switch (value.type) {
    case 'chat_message': {
      const post = readPost(value);
      return post && { type: 'chat_message', post };
    }
    case 'message_ack': {
      const id = text(value.id);
      return id === null ? null : { type: 'message_ack', id, clientKey: text(value.client_key) };
    }
    case 'user_joined':
    case 'user_left': {
      const username = text(value.username);
      return username === null ? null : { type: value.type, username };
    }
    case 'room_roster':
      if (!Array.isArray(value.members)) return null;
      return {
        type: 'room_roster',
        members: value.members.map(readMember).filter((member): member is Member => member !== null),
        more: count(value.more) ?? 0,
      };
    case 'user_count_update':
      return { type: 'user_count_update', counts: readCounts(value.user_counts) };
    case 'error':
      return {
        type: 'error',
        message: text(value.message) ?? 'The server refused this',
        clientKey: text(value.client_key),
        waitMs: count(value.retry_after_ms),
      };
    default:
      return null;
  }
}
