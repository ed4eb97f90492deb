import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FILL_PAGES_MAX, noFill, takePage } from '../../web/src/core/fill.ts';
import { Timeline } from '../../web/src/core/timeline.ts';
import type { Post } from '../../web/src/core/wire.ts';
import { post, posts } from './support.ts';

/** A room's history as the server pages it. */
const history =
  (all: Post[]) =>
  (limit: number, before: string | null): Post[] => {
    const end = before === null ? all.length : all.findIndex(({ id }) => id === before);
    return all.slice(Math.max(0, end - limit), end);
  };

function fill(timeline: Timeline, all: Post[], limit: number): number {
  const page = history(all);
  const newestKey = timeline.newest?.key ?? null;
  let filled = noFill;
  for (let before: string | null = null; ;) {
    const [next, verdict] = takePage(filled, page(limit, before), limit, newestKey);
    filled = next;
    if (!verdict.more) {
      timeline.fill(filled.posts, verdict.touches, verdict.reachedStart);
      return filled.pages;
    }
    before = verdict.before;
  }
}

const shown = (timeline: Timeline): string[] => timeline.posts.map(({ id }) => id);
const ids = (from: number, to: number): string[] => posts(from, to).map(({ id }) => id);

test('fill: a room that is opened gets one page', () => {
  const timeline = new Timeline();
  assert.equal(fill(timeline, posts(1, 120), 50), 1);
  assert.deepEqual(shown(timeline), ids(71, 120));
  assert.equal(timeline.atStart, false);
});

test('fill: a short room is known to its beginning', () => {
  const timeline = new Timeline();
  fill(timeline, posts(1, 49), 50);
  assert.equal(timeline.atStart, true);
  const empty = new Timeline();
  fill(empty, [], 50);
  assert.equal(empty.atStart, true);
});

test('fill: a gap of several pages is closed in order, without repeats', () => {
  for (const missed of [0, 1, 99, 100, 101, 230, 500]) {
    const timeline = new Timeline();
    fill(timeline, posts(1, 60), 50);
    fill(timeline, posts(1, 60 + missed), 100);
    const [first = ''] = shown(timeline); // a page may reach below what was held
    assert.deepEqual(shown(timeline), ids(Number(first.slice(1)), 60 + missed), `${missed} missed`);
    assert(Number(first.slice(1)) <= 11);
  }
});

test('fill: a gap too large makes what is held give way, and leaves no hole', () => {
  const timeline = new Timeline();
  fill(timeline, posts(1, 60), 50);
  assert.equal(fill(timeline, posts(1, 60 + FILL_PAGES_MAX * 100 + 1), 100), FILL_PAGES_MAX);
  assert.deepEqual(shown(timeline), ids(62, 60 + FILL_PAGES_MAX * 100 + 1));
  assert.equal(timeline.atStart, false);
});

test('fill: the largest gap that is filled', () => {
  const timeline = new Timeline();
  fill(timeline, posts(1, 60), 50);
  fill(timeline, posts(1, 60 + FILL_PAGES_MAX * 100 - 1), 100);
  assert.equal(timeline.posts[0]?.id, 'p11');
});

test('fill: live posts that came meanwhile are in it once', () => {
  const timeline = new Timeline();
  fill(timeline, posts(1, 10), 50);
  for (const late of [post(9), post(10), post(11)]) timeline.live(late);
  assert.deepEqual(shown(timeline), ids(1, 11));
});
