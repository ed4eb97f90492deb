import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFrame, readPosts, readRoom, readRoomPage, timeKey } from '../../web/src/core/wire.ts';

const message = {
  type: 'chat_message',
  id: 'p1',
  user_id: 'u1',
  username: 'ann',
  content: '<b>',
  is_bot: false,
  created_at: '2026-01-28T10:30:00.1Z',
};

test('wire: time keys compare as times do, whatever zeros were left out', () => {
  const times = [
    '10:30:00Z',
    '10:30:00.000001Z',
    '10:30:00.09Z',
    '10:30:00.1Z',
    '10:30:00.123456Z',
    '10:30:01Z',
  ];
  const keys = times.map((time) => timeKey(`2026-01-28T${time}`)!);
  assert.deepEqual([...keys].sort(), keys);
  assert.equal(new Set(keys).size, times.length);
});

test('wire: what is no UTC time has no key', () => {
  for (const text of ['', 'now', '2026-01-28', '2026-01-28T10:30:00+01:00', '2026-01-28T10:30:00.Z'])
    assert.equal(timeKey(text), null);
});

test('wire: a chat message', () => {
  const frame = readFrame(JSON.stringify(message));
  assert(frame?.type === 'chat_message');
  assert.equal(frame.post.content, '<b>');
  assert.equal(frame.post.key, '2026-01-28T10:30:00.100000');
  assert.equal(frame.post.isBot, false);
  assert.equal(frame.post.isError, false);
});

test('wire: the other frames', () => {
  assert.deepEqual(readFrame('{"type":"message_ack","id":"p1","client_key":"k"}'), {
    type: 'message_ack',
    id: 'p1',
    clientKey: 'k',
  });
  assert.deepEqual(readFrame('{"type":"user_left","username":"bob"}'), {
    type: 'user_left',
    username: 'bob',
  });
  assert.deepEqual(readFrame('{"type":"user_count_update","user_counts":{"a":2,"b":"x","c":-1}}'), {
    type: 'user_count_update',
    counts: new Map([['a', 2]]),
  });
  assert.deepEqual(
    readFrame(
      '{"type":"room_roster","members":[{"username":"ann","connections":2},{"username":7},{"username":"b"}],"more":1}',
    ),
    { type: 'room_roster', members: [{ username: 'ann', connections: 2 }], more: 1 },
  );
  assert.deepEqual(readFrame('{"type":"error","message":"no","client_key":"k","retry_after_ms":1500}'), {
    type: 'error',
    message: 'no',
    clientKey: 'k',
    waitMs: 1500,
  });
});

test('wire: what is unknown or broken is nothing', () => {
  const broken = [
    '',
    '{',
    'null',
    '[]',
    '1',
    '{}',
    '{"type":"tomorrow"}',
    '{"type":"message_ack"}',
    '{"type":"room_roster","more":3}',
    '{"type":"user_joined","username":7}',
    JSON.stringify({ ...message, content: 7 }),
    JSON.stringify({ ...message, created_at: 'soon' }),
    JSON.stringify({ ...message, id: undefined }),
  ];
  for (const text of broken) assert.equal(readFrame(text), null, text);
});

test('wire: a page of history without its broken entries', () => {
  assert.deepEqual(
    readPosts({ messages: [message, { ...message, username: null }, 7] }).map(({ id }) => id),
    ['p1'],
  );
  assert.deepEqual(readPosts(null), []);
  assert.deepEqual(readPosts({ messages: {} }), []);
});

test('wire: a room, its name as it is', () => {
  const made = readRoom({ id: 'r', name: '"><x', created_at: '2026-01-28T10:30:00.5Z', ephemeral: true });
  assert.equal(made?.name, '"><x');
  assert.equal(made?.isEphemeral, true);
  assert.equal(made?.userCount, 0);
});

test('wire: a page of rooms, and the last one', () => {
  const entry = { id: 'r', name: 'n', created_at: '2026-01-28T10:30:00Z', user_count: 3 };
  assert.equal(readRoomPage({ chatrooms: [entry], next_cursor: 'r' }).cursor, 'r');
  assert.equal(readRoomPage({ chatrooms: [entry] }).cursor, null);
  assert.equal(readRoomPage({ chatrooms: [entry] }).rooms[0]?.userCount, 3);
  assert.deepEqual(readRoomPage('x'), { rooms: [], cursor: null });
});
