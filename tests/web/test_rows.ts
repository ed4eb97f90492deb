import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noteText, rowsOf } from '../../web/src/core/rows.ts';
import { Timeline } from '../../web/src/core/timeline.ts';
import type { Post } from '../../web/src/core/wire.ts';
import { post } from './support.ts';

const ann = { id: 'ann-id', username: 'ann' };
const now = new Date(2026, 0, 6, 12, 0);

function rows(posts: Post[], unreadAfter: string | null = null, me = ann): string {
  const timeline = new Timeline();
  timeline.fill(posts, true, true);
  return rowsOf(timeline.entries(), me, now, unreadAfter)
    .map((row) => {
      if (row.kind === 'day') return `--${row.label}--`;
      if (row.kind === 'unread') return '--new--';
      if (row.kind === 'post')
        return row.leads ? `${row.post.username}:${row.post.content}` : row.post.content;
      return row.kind;
    })
    .join(' ');
}

/** A post at a local time. */
const at = (n: number, who: string, hour: number, minute: number, day = 6): Post =>
  post(n, {
    createdAt: new Date(2026, 0, day, hour, minute).toISOString(),
    userId: `${who}-id`,
    username: who,
    content: String(n),
  });

test('rows: posts of one sender stand under one name', () => {
  assert.equal(
    rows([at(1, 'ann', 9, 0), at(2, 'ann', 9, 1), at(3, 'bob', 9, 2), at(4, 'ann', 9, 3)]),
    '--Today-- ann:1 2 bob:3 ann:4',
  );
});

test('rows: after a pause the name stands again', () => {
  assert.equal(
    rows([at(1, 'ann', 9, 0), at(2, 'ann', 9, 5), at(3, 'ann', 9, 11)]),
    '--Today-- ann:1 2 ann:3',
    'five minutes count from the post before',
  );
});

test('rows: a line between days, and the name again after it', () => {
  assert.equal(rows([at(1, 'ann', 23, 59, 5), at(2, 'ann', 0, 0, 6)]), '--Yesterday-- ann:1 --Today-- ann:2');
});

test('rows: a line above what is new, once, and never for one’s own', () => {
  const all = [at(1, 'bob', 9, 0), at(2, 'ann', 9, 1), at(3, 'bob', 9, 2), at(4, 'bob', 9, 3)];
  assert.equal(rows(all, all[0]!.key), '--Today-- bob:1 ann:2 --new-- bob:3 4');
  assert.equal(rows(all, all[3]!.key), '--Today-- bob:1 ann:2 bob:3 4');
  assert.equal(rows(all, ''), '--Today-- --new-- bob:1 ann:2 bob:3 4');
});

test('rows: a user whose name another one had is not taken for them', () => {
  const renamed = { ...at(2, 'ann', 9, 1), userId: 'other-id' };
  assert.equal(rows([at(1, 'ann', 9, 0), renamed]), '--Today-- ann:1 ann:2');
});

test('rows: what was said between breaks a group', () => {
  const timeline = new Timeline();
  timeline.live(at(1, 'ann', 9, 0));
  timeline.live({ ...at(2, 'bot', 9, 0), isBot: true });
  timeline.live(at(3, 'ann', 9, 1));
  timeline.note('joined', 'bob', new Date(2026, 0, 6, 9, 1).getTime());
  timeline.live(at(4, 'ann', 9, 2));
  const kinds = rowsOf(timeline.entries(), ann, now, null).map(
    (row) => row.kind + ('leads' in row && row.leads ? '!' : ''),
  );
  assert.deepEqual(kinds, ['day', 'post!', 'bot', 'post!', 'notes', 'post!']);
});

test('rows: an own post on its way continues the group', () => {
  const timeline = new Timeline();
  timeline.live(at(1, 'ann', 9, 0));
  timeline.queue('k', 'more', new Date(2026, 0, 6, 9, 1).getTime());
  const [, , pending] = rowsOf(timeline.entries(), ann, now, null);
  assert(pending?.kind === 'pending');
  assert.equal(pending.leads, false);
  assert.equal(pending.isOwn, true);
});

test('rows: a join on another day stands under that day', () => {
  const timeline = new Timeline();
  timeline.live(at(1, 'ann', 9, 0, 5));
  timeline.note('joined', 'bob', new Date(2026, 0, 6, 8, 0).getTime());
  assert.deepEqual(
    rowsOf(timeline.entries(), ann, now, null).map(({ kind }) => kind),
    ['day', 'post', 'day', 'notes'],
  );
});

test('rows: every row has an id of its own', () => {
  const timeline = new Timeline();
  for (let i = 0; i < 50; i++) timeline.live(at(i, i % 3 ? 'ann' : 'bob', 9, i % 60));
  timeline.note('joined', 'eve', 0);
  timeline.queue('k', 'x', Date.now());
  const ids = rowsOf(timeline.entries(), ann, now, '').map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
});

test('rows: joins and leaves are summed up person by person', () => {
  const note = (text: string) => {
    const [username, kind] = text.split(' ');
    return { username: username!, kind: kind as 'joined' | 'left', atMs: 0 };
  };
  const sum = (...texts: string[]): string => noteText(texts.map(note));
  assert.equal(sum('bob joined'), 'bob joined');
  assert.equal(sum('bob joined', 'eve joined'), 'bob and eve joined');
  assert.equal(sum('bob left', 'bob joined'), 'bob came back');
  assert.equal(sum('bob joined', 'bob left'), 'bob looked in');
  assert.equal(sum('bob joined', 'bob joined', 'eve left'), 'bob joined · eve left');
  assert.equal(sum('a joined', 'b joined', 'c joined', 'd joined', 'e joined'), 'a, b and 3 others joined');
});
