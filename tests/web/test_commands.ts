import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answers, hintFor, readCommand, suggest } from '../../web/src/core/commands.ts';

test('commands: the grammar is the server’s', () => {
  assert.deepEqual(readCommand('/stock=aapl.us'), { kind: 'stock', code: 'AAPL.US' });
  assert.deepEqual(readCommand(' \t\r\n/stock=A \n'), { kind: 'stock', code: 'A' });
  assert.deepEqual(readCommand(`/stock=${'a'.repeat(20)}`), { kind: 'stock', code: 'A'.repeat(20) });
  assert.deepEqual(readCommand('/hello'), { kind: 'hello' });
  assert.deepEqual(readCommand('\n/hello '), { kind: 'hello' });
});

test('commands: every white space of Unicode at the ends is nothing to the server', () => {
  const blanks = [...' \t\r\n\u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000'];
  for (let code = 0x2000; code <= 0x200a; code++) blanks.push(String.fromCharCode(code));
  for (const blank of [...blanks, blanks.join('')]) {
    assert.deepEqual(readCommand(`${blank}/hello${blank}`), { kind: 'hello' }, JSON.stringify(blank));
    assert.deepEqual(readCommand(`${blank}/stock=a${blank}`), { kind: 'stock', code: 'A' });
  }
});

test('commands: what does not match is an ordinary message', () => {
  const ordinary = [
    '/stock=',
    '/STOCK=x',
    '/Stock=x',
    '/stock=A B',
    '/stock =A',
    '/stock= A',
    '/stock=A-B',
    '/stock=A_B',
    '/stock=^X',
    '/stock=a=b',
    `/stock=${'a'.repeat(21)}`,
    '/HELLO',
    '/hello bob',
    '/help',
    'say /hello',
    '\ufeff/hello',
    '\u200b/hello',
    '\u180e/hello',
    '\u00a0/hello\u00a0bob',
    '',
  ];
  for (const text of ordinary) assert.equal(readCommand(text), null, text);
});

test('commands: the help opens on a slash and narrows down', () => {
  const offered = (draft: string): string[] => suggest(draft).map(({ insert }) => insert);
  assert.deepEqual(offered('/'), ['/stock=', '/hello']);
  assert.deepEqual(offered('/s'), ['/stock=']);
  assert.deepEqual(offered('/h'), ['/hello']);
  for (const draft of ['', 'a', ' /', '/x', '/stock=', '/stock=A', '/hello', '/ ', 'a /'])
    assert.deepEqual(offered(draft), [], draft);
});

test('commands: the hint says what will become of the draft', () => {
  assert.equal(hintFor('/stock=a.us')?.kind, 'command');
  assert.match(hintFor('/stock=a.us')!.text, /A\.US/);
  assert.equal(hintFor('/hello')?.kind, 'command');
  assert.equal(hintFor('/stock=')?.kind, 'unfinished');
  assert.equal(hintFor('/stock=A B')?.kind, 'ordinary');
  assert.equal(hintFor('/help'), null);
  assert.equal(hintFor('hello'), null);
});

test('commands: which answer belongs to which', () => {
  assert.equal(answers({ kind: 'stock', code: 'AAPL.US' }, 'AAPL.US quote is $93.42 per share'), true);
  assert.equal(answers({ kind: 'stock', code: 'AAPL.US' }, 'Stock XYZ not found'), false);
  assert.equal(answers({ kind: 'hello' }, 'Slow is smooth.'), true);
});
