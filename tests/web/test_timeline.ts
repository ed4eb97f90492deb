import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EXTRAS_MAX, POSTS_MAX, SENDS_MAX, Timeline } from '../../web/src/core/timeline.ts';
import { post, posts } from './support.ts';

const shown = (timeline: Timeline): string[] => timeline.entries().map(({ id }) => id);
const ids = (from: number, to: number): string[] => posts(from, to).map(({ id }) => id);

/** The entries in a few letters. */
function told(timeline: Timeline): string {
  return timeline
    .entries()
    .map((entry) => {
      switch (entry.kind) {
        case 'post':
          return entry.post.content;
        case 'pending':
          return `(${entry.pending.content} ${entry.pending.state})`;
        case 'bot':
          return `bot:${entry.post.content}`;
        case 'asked':
          return `asked:${entry.content}`;
        case 'notes':
          return `[${entry.notes.map(({ kind, username }) => `${username} ${kind}`).join(', ')}]`;
      }
    })
    .join(' ');
}

test('timeline: posts are in order and once, in whatever order they come', () => {
  const timeline = new Timeline();
  for (const n of [3, 1, 2, 3, 5, 4, 1]) timeline.live(post(n));
  assert.deepEqual(shown(timeline), ids(1, 5));
  timeline.prepend(posts(-3, 2), true);
  assert.deepEqual(shown(timeline), ids(-3, 5));
});

test('timeline: times that differ in their fraction keep their order', () => {
  const timeline = new Timeline();
  const at = (fraction: string, n: number) => post(n, { createdAt: `2026-01-05T10:00:00${fraction}Z` });
  for (const one of [at('.5', 1), at('.123456', 2), at('', 3), at('.05', 4)]) timeline.live(one);
  assert.deepEqual(shown(timeline), ['p3', 'p4', 'p2', 'p1']);
});

test('timeline: an own post goes from sending to stored, and keeps its place', () => {
  const timeline = new Timeline();
  timeline.live(post(1));
  const pending = timeline.queue('key', 'mine', 0);
  assert.equal(told(timeline), 'post 1 (mine sending)');
  timeline.sent(pending, 5);
  timeline.ack('key', 'p2');
  assert.equal(told(timeline), 'post 1 (mine stored)');
  timeline.live(post(2, { content: 'mine' }));
  assert.equal(told(timeline), 'post 1 mine');
  assert.deepEqual(shown(timeline), ['p1', 'key'], 'the same line on the page');
});

test('timeline: an own post that came by history first is settled by its ack', () => {
  const timeline = new Timeline();
  timeline.sent(timeline.queue('key', 'mine', 0), 1);
  timeline.fill([post(1, { content: 'mine' })], true, true);
  assert.equal(told(timeline), 'mine (mine sending)');
  timeline.ack('key', 'p1');
  assert.equal(told(timeline), 'mine');
});

test('timeline: an ack that came before history settles it there', () => {
  const timeline = new Timeline();
  timeline.queue('key', 'mine', 0);
  timeline.ack('key', 'p1');
  timeline.fill([post(1, { content: 'mine' })], true, true);
  assert.equal(told(timeline), 'mine');
});

test('timeline: a refused post says so, is tried again under the same key, or deleted', () => {
  const timeline = new Timeline();
  timeline.queue('a', 'one', 0);
  timeline.queue('b', 'two', 0);
  assert.equal(timeline.fail('a', 'Rate limit exceeded', 99), true);
  assert.equal(told(timeline), '(one failed) (two sending)');
  assert.deepEqual(
    timeline.unsent().map(({ key }) => key),
    ['b'],
  );
  assert.equal(timeline.retry('a')?.key, 'a');
  assert.equal(timeline.retry('a'), undefined, 'it is on its way');
  assert.equal(told(timeline), '(one sending) (two sending)');
  timeline.discard('a');
  assert.equal(told(timeline), '(two sending)');
});

test('timeline: errors and acks that belong to no own post change nothing', () => {
  const timeline = new Timeline();
  timeline.queue('a', 'one', 0);
  const { version } = timeline;
  assert.equal(timeline.fail(null, 'x', 0), false);
  assert.equal(timeline.fail('other', 'x', 0), false);
  timeline.ack(null, 'p1');
  timeline.ack('other', 'p1');
  assert.equal(timeline.version, version);
});

test('timeline: a stored post does not fail any more', () => {
  const timeline = new Timeline();
  timeline.queue('a', 'one', 0);
  timeline.ack('a', 'p1');
  assert.equal(timeline.fail('a', 'late', 0), false);
});

test('timeline: joins and leaves stand where they happened, and are one entry while nothing is between', () => {
  const timeline = new Timeline();
  timeline.note('joined', 'eve', 0);
  timeline.live(post(1));
  timeline.note('joined', 'bob', 0);
  timeline.note('left', 'eve', 0);
  timeline.live(post(2));
  timeline.note('left', 'bob', 0);
  assert.equal(told(timeline), '[eve joined] post 1 [bob joined, eve left] post 2 [bob left]');
});

test('timeline: a command is asked, not stored, and stands before its answer', () => {
  const timeline = new Timeline();
  const pending = timeline.queue('k', '/stock=aapl.us', 0);
  assert.equal(pending.isCommand, true);
  timeline.sent(pending, 1);
  assert.equal(told(timeline), '(/stock=aapl.us asked)');
  assert.deepEqual(timeline.unsent(), [], 'it is not asked twice');
  timeline.live(post(5, { isBot: true, content: 'STOCK XYZ not found' }));
  assert.equal(told(timeline), 'bot:STOCK XYZ not found (/stock=aapl.us asked)');
  timeline.live(post(6, { isBot: true, content: 'AAPL.US quote is $1.00 per share' }));
  assert.equal(
    told(timeline),
    'bot:STOCK XYZ not found asked:/stock=aapl.us bot:AAPL.US quote is $1.00 per share',
  );
});

test('timeline: the echo of a command is the command', () => {
  const timeline = new Timeline();
  timeline.sent(timeline.queue('k', '/stock=a', 0), 1);
  assert.equal(timeline.echo('/stock=b'), false);
  assert.equal(timeline.echo('/stock=a'), true);
  assert.equal(timeline.echo('/stock=a'), false);
  assert.equal(told(timeline), 'asked:/stock=a');
});

test('timeline: with the socket goes the answer', () => {
  const timeline = new Timeline();
  timeline.sent(timeline.queue('k', '/hello', 0), 1);
  timeline.sent(timeline.queue('p', 'words', 0), 1);
  timeline.lostSocket();
  assert.equal(told(timeline), '(/hello failed) (words sending)');
});

test('timeline: bot posts are never stored, so history does not start at one', () => {
  const timeline = new Timeline();
  timeline.live(post(1));
  timeline.live(post(2, { isBot: true }));
  assert.equal(timeline.newest?.id, 'p1');
});

test('timeline: at its bound the oldest go, and come back by paging', () => {
  const timeline = new Timeline();
  timeline.fill(posts(1, POSTS_MAX), true, true);
  assert.equal(timeline.atStart, true);
  timeline.live(post(POSTS_MAX + 1));
  assert.equal(timeline.posts.length, POSTS_MAX);
  assert.equal(timeline.posts[0]?.id, 'p2');
  assert.equal(timeline.atStart, false);
  assert.equal(timeline.has('p1'), false);
});

test('timeline: paging up past the bound lets the newest go, and live posts wait for the way back', () => {
  const timeline = new Timeline();
  timeline.fill(posts(1, POSTS_MAX), true, false);
  timeline.prepend(posts(-49, 0), false);
  assert.equal(timeline.posts.length, POSTS_MAX);
  assert.equal(timeline.posts[0]?.id, 'p-49');
  assert.equal(timeline.atEnd, false);
  assert.equal(timeline.live(post(POSTS_MAX + 1)), false, 'there would be a hole before it');
  assert.equal(timeline.newest?.id, `p${POSTS_MAX - 50}`);
  timeline.forgetPosts();
  timeline.fill(posts(POSTS_MAX - 48, POSTS_MAX + 1), true, false);
  assert.equal(timeline.atEnd, true);
  assert.equal(timeline.live(post(POSTS_MAX + 2)), true);
});

test('timeline: what is not stored is bounded as well', () => {
  const timeline = new Timeline();
  for (let i = 0; i <= EXTRAS_MAX; i++) timeline.note('joined', `user${i}`, 0);
  const [entry] = timeline.entries();
  assert(entry?.kind === 'notes');
  assert.equal(entry.notes.length, EXTRAS_MAX);
  assert.equal(entry.notes[0]?.username, 'user1');
});

test('timeline: entries are made once for each change', () => {
  const timeline = new Timeline();
  timeline.live(post(1));
  const entries = timeline.entries();
  assert.equal(timeline.entries(), entries);
  timeline.live(post(2));
  assert.notEqual(timeline.entries(), entries);
});

test('timeline: what gets no ack is sent to a bounded number of sockets, until its person asks again', () => {
  const timeline = new Timeline();
  const pending = timeline.queue('key', 'mine', 0);
  const socket = (atMs: number): number => {
    const unsent = timeline.unsent();
    unsent.forEach((one) => timeline.sent(one, atMs));
    return unsent.length;
  };
  for (let n = 1; n <= SENDS_MAX; n++) {
    assert.equal(socket(n * 100), 1);
    assert.equal(timeline.isUnanswered(n * 100), false, 'it has its time');
    if (n < SENDS_MAX) assert.equal(timeline.isUnanswered(n * 100 + 1), true);
  }
  assert.equal(timeline.isUnanswered(SENDS_MAX * 100 + 1), false, 'no further socket for it');
  assert.equal(told(timeline), '(mine failed)');
  assert.equal(socket(1000), 0);
  assert.equal(timeline.retry('key'), pending);
  assert.equal(socket(1100), 1);
  timeline.ack('key', 'p1');
  assert.equal(told(timeline), '(mine stored)');
});

test('timeline: sockets that end before an ack count as well', () => {
  const timeline = new Timeline();
  timeline.queue('key', 'mine', 0);
  for (let n = 0; n < SENDS_MAX; n++) timeline.unsent().forEach((one) => timeline.sent(one, 1));
  assert.deepEqual(timeline.unsent(), []);
  assert.equal(told(timeline), '(mine failed)');
});
