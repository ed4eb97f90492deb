import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COUNTED_ROOMS, RoomList } from '../../web/src/core/rooms.ts';
import type { Room } from '../../web/src/core/wire.ts';
import { room } from './support.ts';

const range = (from: number, to: number): Room[] =>
  Array.from({ length: from - to + 1 }, (_, i) => room(from - i));
const shown = (list: RoomList): string[] => list.rooms.map(({ name }) => name);
const names = (from: number, to: number): string[] => range(from, to).map(({ name }) => name);

test('rooms: pages follow one another, newest first, also with equal times', () => {
  const list = new RoomList();
  assert.equal(list.cursor, undefined);
  list.append({ rooms: range(120, 71), cursor: 'r0071' });
  list.append({ rooms: range(70, 21), cursor: 'r0021' });
  assert.equal(list.isComplete, false);
  list.append({ rooms: range(20, 1), cursor: null });
  assert.equal(list.isComplete, true);
  assert.deepEqual(shown(list), names(120, 1));
});

test('rooms: a refresh adds what others made, and keeps the pages below', () => {
  const list = new RoomList();
  list.append({ rooms: range(60, 11), cursor: 'r0011' });
  list.append({ rooms: range(10, 1), cursor: null });
  assert.equal(list.refresh({ rooms: range(63, 14), cursor: 'r0014' }), true);
  assert.deepEqual(shown(list), names(63, 1));
  assert.equal(list.isComplete, true);
});

test('rooms: more new ones than a page holds make the list begin anew, without a hole', () => {
  const list = new RoomList();
  list.append({ rooms: range(60, 11), cursor: 'r0011' });
  assert.equal(list.refresh({ rooms: range(200, 151), cursor: 'r0151' }), false);
  assert.deepEqual(shown(list), names(200, 151));
  assert.equal(list.cursor, 'r0151');
});

test('rooms: a refresh brings counts and takes none from others', () => {
  const list = new RoomList();
  list.append({ rooms: [room(2, { userCount: 5 }), room(1, { userCount: 3 })], cursor: null });
  list.refresh({ rooms: [room(2, { userCount: 1 })], cursor: 'r0002' });
  assert.deepEqual(
    list.rooms.map(({ userCount }) => userCount),
    [1, 3],
  );
});

test('rooms: live counts name those with someone in them; the others have nobody', () => {
  const list = new RoomList();
  list.append({ rooms: [room(2, { userCount: 5 }), room(1, { userCount: 3 })], cursor: null });
  list.counted(new Map([['r0001', 7]]));
  assert.deepEqual(
    list.rooms.map(({ userCount }) => userCount),
    [0, 7],
  );
});

test('rooms: counts say nothing of rooms older than those they tell of', () => {
  const list = new RoomList();
  list.append({
    rooms: range(COUNTED_ROOMS + 1, 1).map((one) => ({ ...one, userCount: 4 })),
    cursor: null,
  });
  list.counted(new Map([['r0500', 1]]));
  const counts = list.rooms.map(({ userCount }) => userCount);
  assert.deepEqual(counts.slice(0, 3), [0, 1, 0]);
  assert.deepEqual(counts.slice(-2), [0, 4]);
});

test('rooms: an own new room stands first, and once when the list has it as well', () => {
  const list = new RoomList();
  list.append({ rooms: range(3, 1), cursor: null });
  list.add(room(4, { createdAt: '2026-01-05T10:00:01Z' }));
  list.refresh({ rooms: [room(4, { createdAt: '2026-01-05T10:00:01Z' }), ...range(3, 1)], cursor: null });
  assert.deepEqual(shown(list), names(4, 1));
  assert.equal(list.get('r0004')?.name, 'room 4');
});

test('rooms: search by name, case and accents aside', () => {
  const list = new RoomList();
  list.append({
    rooms: [
      room(3, { name: 'Café & Bücher' }),
      room(2, { name: '<b>General</b>' }),
      room(1, { name: 'general' }),
    ],
    cursor: null,
  });
  const found = (query: string): string[] => list.search(query).map(({ name }) => name);
  assert.deepEqual(found('cafe'), ['Café & Bücher']);
  assert.deepEqual(found('BUCH'), ['Café & Bücher']);
  assert.deepEqual(found(' general '), ['<b>General</b>', 'general']);
  assert.deepEqual(found('<b>'), ['<b>General</b>']);
  assert.equal(found('').length, 3);
  assert.deepEqual(found('nothing'), []);
});
