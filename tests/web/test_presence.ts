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
