import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Memo } from '../../web/src/core/memo.ts';

/** Draws things, given as id and parts; which of them were made. */
function drawing(): (things: Record<string, unknown[]>) => string[] {
  const memo = new Memo<{ id: string }>();
  const drawn = new Map<string, { id: string }>();
  return (things) => {
    const made: string[] = [];
    const round = memo.round();
    for (const [id, of] of Object.entries(things)) {
      const one = round(id, of, () => {
        made.push(id);
        return { id };
      });
      if (!made.includes(id)) assert.equal(one, drawn.get(id), 'the very same as before');
      drawn.set(id, one);
    }
    return made;
  };
}

test('memo: of many only those are made anew that have changed', () => {
  const draw = drawing();
  const rooms = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`r${n}`, ['name', n]]));
  assert.equal(draw(rooms).length, 1000);
  assert.deepEqual(draw(rooms), []);
  assert.deepEqual(draw({ ...rooms, r7: ['name', 8] }), ['r7']);
  assert.deepEqual(draw({ ...rooms, r7: ['name', 8], r9: ['name'] }), ['r9'], 'fewer parts are other parts');
});

test('memo: what was not asked for is forgotten', () => {
  const draw = drawing();
  draw({ a: [1], b: [1] });
  assert.deepEqual(draw({ a: [1] }), []);
  assert.deepEqual(draw({ a: [1], b: [1] }), ['b']);
});
