import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HEARD_MAX, HEARD_MS, Heard, spoken } from '../../web/src/core/heard.ts';
import { post, posts } from './support.ts';

test('heard: of several posts at once each is an entry, also when they say the same', () => {
  const heard = new Heard();
  heard.add([post(1, { content: 'alpha' }), post(2, { content: 'alpha' })], 0);
  heard.add([post(3, { content: 'beta' })], 1);
  assert.deepEqual(heard.posts.map(spoken), ['ann: alpha', 'ann: alpha', 'ann: beta']);
  assert.equal(new Set(heard.posts.map(({ id }) => id)).size, 3);
});

test('heard: it is bounded, and the newest stay', () => {
  const heard = new Heard();
  heard.add(posts(1, HEARD_MAX), 0);
  assert.equal(heard.posts.length, HEARD_MAX);
  heard.add(posts(HEARD_MAX + 1, HEARD_MAX + 1), 0);
  assert.deepEqual(
    heard.posts.map(({ id }) => id),
    posts(2, HEARD_MAX + 1).map(({ id }) => id),
  );
});

test('heard: it is emptied when nothing has come for a while', () => {
  const heard = new Heard();
  assert.equal(heard.expire(HEARD_MS), false, 'nothing to forget');
  heard.add(posts(1, 1), 0);
  heard.add(posts(2, 2), 10);
  assert.equal(heard.expire(HEARD_MS + 9), false);
  assert.equal(heard.expire(HEARD_MS + 10), true);
  assert.deepEqual(heard.posts, []);
});

test('heard: a long post is cut between characters', () => {
  assert.equal(spoken(post(1, { content: '\u{1f600}'.repeat(301) })), `ann: ${'\u{1f600}'.repeat(300)}`);
});
