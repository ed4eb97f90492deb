import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VIEW_MAX, VIEW_STEP, moved, sliceOf } from '../../web/src/core/view.ts';

const entries = (n: number): { id: string }[] => Array.from({ length: n }, (_, i) => ({ id: `e${i}` }));

test('view: hanging on the end it follows what is new', () => {
  assert.equal(sliceOf(entries(1000), null).to, 1000);
  assert.equal(sliceOf(entries(1001), null).to, 1001);
  assert.deepEqual(sliceOf(entries(3), null), { from: 0, to: 3 });
  assert.deepEqual(sliceOf([], null), { from: 0, to: 0 });
});

test('view: it is never longer than its bound', () => {
  for (const n of [0, 1, VIEW_MAX, VIEW_MAX + 1, 5000])
    for (const top of [null, 'e0', 'e1', 'e4000']) {
      const { from, to } = sliceOf(entries(n), top);
      assert(to - from <= VIEW_MAX);
    }
});

test('view: what comes in above or below does not move it', () => {
  const some = entries(1000);
  const { from } = sliceOf(some, 'e300');
  const older = [...Array.from({ length: 50 }, (_, i) => ({ id: `older${i}` })), ...some, { id: 'new' }];
  assert.equal(older[sliceOf(older, 'e300').from]?.id, some[from]?.id);
});

test('view: an entry that has gone makes it hang on the end again', () => {
  assert.equal(sliceOf(entries(10), 'gone').to, 10);
});

test('view: up and down again, step by step, it passes every entry', () => {
  const all = entries(1000);
  let top: string | null = null;
  const seen = new Set<string>();
  const look = (): void => {
    const { from, to } = sliceOf(all, top);
    for (const { id } of all.slice(from, to)) seen.add(id);
  };
  for (let i = 0; i < 40; i++, look()) top = moved(all, top, -VIEW_STEP);
  assert.equal(sliceOf(all, top).from, 0);
  assert.equal(seen.size, 1000 - (1000 - sliceOf(all, null).to) - 0);
  seen.clear();
  for (let i = 0; i < 40; i++, look()) top = moved(all, top, VIEW_STEP);
  assert.equal(top, null, 'it hangs on the end');
  assert(seen.has('e999') && seen.has('e300'));
});
