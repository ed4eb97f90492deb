import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultsOf, passwordFault } from '../../web/src/core/account.ts';

test('account: a password is measured in bytes, as the server does, and told so where it matters', () => {
  assert.match(passwordFault('x'.repeat(7))!, /at least 8 characters/);
  assert.equal(passwordFault('x'.repeat(8)), null);
  assert.equal(passwordFault('äääa'), 'Use at least 8 characters.');
  assert.equal(passwordFault('ääää'), null);
  assert.equal(passwordFault('x'.repeat(100)), null);
  assert.match(passwordFault('x'.repeat(101))!, /at most 100 characters/);
  assert.equal(passwordFault('ä'.repeat(50)), null);
  const long = passwordFault('ä'.repeat(51))!;
  assert.match(long, /counts 102 of at most 100/);
  assert.doesNotMatch(long, /characters/, '51 characters would do, if it counted those');
});

test('account: each fault stands at its field', () => {
  assert.deepEqual(faultsOf('ann', 'ann@test.com', 'password123'), {});
  assert.deepEqual(Object.keys(faultsOf('a b', 'nowhere', 'short')), ['username', 'email', 'password']);
});
