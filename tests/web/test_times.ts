import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dayLabel, dayOf, secondsUntil } from '../../web/src/core/times.ts';

const now = new Date(2026, 2, 1, 0, 30); // 1 March, half past midnight, local

test('times: days are those of the calendar, not spans of 24 hours', () => {
  assert.equal(dayLabel(new Date(2026, 2, 1, 0, 0), now), 'Today');
  assert.equal(dayLabel(new Date(2026, 1, 28, 23, 59), now), 'Yesterday');
  assert.equal(dayLabel(new Date(2026, 1, 28, 0, 0), now), 'Yesterday');
  assert.notEqual(dayLabel(new Date(2026, 1, 27, 23, 59), now), 'Yesterday');
});

test('times: the year is told when it is another one', () => {
  assert.doesNotMatch(dayLabel(new Date(2026, 0, 5), now), /2026/);
  assert.match(dayLabel(new Date(2025, 11, 31), now), /2025/);
});

test('times: a day’s id does not depend on the hour', () => {
  assert.equal(dayOf(new Date(2026, 8, 3, 0, 0)), '2026-09-03');
  assert.equal(dayOf(new Date(2026, 8, 3, 23, 59)), '2026-09-03');
});

test('times: seconds are never negative and never too few', () => {
  assert.equal(secondsUntil(1000, 1000), 0);
  assert.equal(secondsUntil(1001, 1000), 1);
  assert.equal(secondsUntil(900, 1000), 0);
  assert.equal(secondsUntil(5000, 1000), 4);
});
