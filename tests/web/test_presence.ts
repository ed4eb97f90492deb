import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Presence } from '../../web/src/core/presence.ts';

test('presence: people come, write and go; one is the first oneself', () => {
  const presence = new Presence();
  presence.joined('mia');
  presence.joined('eve');
  presence.wrote('bob');
  assert.deepEqual(presence.names('mia'), ['mia', 'bob', 'eve']);
  presence.left('eve');
  presence.left('nobody');
  assert.deepEqual(presence.names('mia'), ['mia', 'bob']);
});

test('presence: who has two windows is here until the second one closes', () => {
  const presence = new Presence();
  presence.joined('bob');
  presence.joined('bob');
  presence.left('bob');
  assert.deepEqual(presence.names('mia'), ['bob']);
  presence.left('bob');
  assert.deepEqual(presence.names('mia'), []);
});

test('presence: connections without a name are counted', () => {
  const presence = new Presence();
  presence.joined('mia');
  presence.counted(5);
  assert.equal(presence.unnamed, 4);
  presence.joined('bob');
  assert.equal(presence.unnamed, 3);
  presence.counted(1);
  assert.equal(presence.unnamed, 0, 'counts may lag behind');
});

test('presence: coming in anew one knows nobody', () => {
  const presence = new Presence();
  presence.joined('bob');
  presence.reset();
  assert.deepEqual(presence.names('mia'), []);
});

test('presence: who is here when one comes in, and who comes and goes from there on', () => {
  const presence = new Presence();
  presence.counted(4);
  presence.listed(
    [
      { username: 'bob', connections: 2 },
      { username: 'ann', connections: 1 },
    ],
    0,
  );
  presence.joined('eve');
  assert.deepEqual(presence.names('eve'), ['eve', 'ann', 'bob']);
  assert.equal(presence.unnamed, 0);
  presence.counted(9);
  assert.equal(presence.unnamed, 0, 'counts come later than the list, and say nothing more');
  presence.left('bob');
  assert.deepEqual(presence.names('eve'), ['eve', 'ann', 'bob'], 'his other window is open');
  presence.left('bob');
  assert.deepEqual(presence.names('eve'), ['eve', 'ann']);
  presence.wrote('bob');
  assert.deepEqual(presence.names('eve'), ['eve', 'ann'], 'a message read late is no sign of who went');
});

test('presence: a list takes the place of all that was known', () => {
  const presence = new Presence();
  presence.joined('bob');
  presence.listed([{ username: 'ann', connections: 1 }], 0);
  assert.deepEqual(presence.names('eve'), ['ann']);
  const { version } = presence;
  presence.listed([], 0);
  assert.deepEqual(presence.names('eve'), []);
  assert.notEqual(presence.version, version);
  presence.reset();
  presence.counted(2);
  assert.equal(presence.unnamed, 2, 'what is known of a socket goes with it');
});

test('presence: those a long list leaves out are counted until they are named', () => {
  const presence = new Presence();
  presence.listed([{ username: 'ann', connections: 1 }], 3);
  assert.equal(presence.more, 3);
  presence.wrote('bob');
  assert.deepEqual(presence.names('eve'), ['ann', 'bob']);
  assert.equal(presence.more, 2);
  presence.left('cid');
  assert.equal(presence.more, 1);
  presence.left('ann');
  assert.equal(presence.more, 1);
  presence.left('dan');
  presence.left('nobody');
  assert.equal(presence.more, 0);
});
