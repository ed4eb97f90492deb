import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  HUES,
  codePoints,
  hueOf,
  initial,
  isolated,
  nameList,
  pieces,
  plural,
  sendable,
} from '../../web/src/core/text.ts';

test('text: length is counted in code points, as the server does', () => {
  assert.equal(codePoints(''), 0);
  assert.equal(codePoints('äöü'), 3);
  assert.equal(codePoints('\u{1f600}'.repeat(1000)), 1000);
});

test('text: what is sent has no blank ends, no controls and no half characters', () => {
  assert.equal(sendable('  hello \n'), '  hello');
  assert.equal(sendable('\n \n\thello'), '\thello');
  assert.equal(sendable(' \n\t '), '');
  assert.equal(sendable('a\u0000b\u0007c\u001b[31m'), 'abc[31m');
  assert.equal(sendable('tab\there\r\nline'), 'tab\there\r\nline');
  assert.equal(sendable('\ud83d \ude00 \u{1f600}'), '\ufffd \ufffd \u{1f600}');
});

test('text: an avatar has a letter for any name', () => {
  assert.equal(initial('ann'), 'A');
  assert.equal(initial('__bob'), 'B');
  assert.equal(initial('___'), '?');
  assert.equal(initial('\u{1f600}x'), '\u{1f600}');
});

test('text: a name keeps its colour, and names spread over all of them', () => {
  assert.equal(hueOf('ann'), hueOf('ann'));
  const seen = new Set(Array.from({ length: 200 }, (_, i) => hueOf(`user${i}`)));
  assert.equal(seen.size, HUES);
});

test('text: links are found, and the sentence around them stays', () => {
  assert.deepEqual(pieces('see https://example.org/a?b=1#c, or not.'), [
    { text: 'see ' },
    { text: 'https://example.org/a?b=1#c', href: 'https://example.org/a?b=1#c' },
    { text: ', or not.' },
  ]);
  assert.deepEqual(pieces('(https://example.org)'), [
    { text: '(' },
    { text: 'https://example.org', href: 'https://example.org/' },
    { text: ')' },
  ]);
  assert.deepEqual(
    pieces('https://en.wikipedia.org/wiki/C_(language)')[0]?.text,
    'https://en.wikipedia.org/wiki/C_(language)',
  );
});

test('text: only http and https become links, and markup stays text', () => {
  for (const text of ['javascript:alert(1)', 'data:text/html,x', 'ftp://a', 'http://', 'www.example.org'])
    assert.deepEqual(pieces(text), [{ text }], text);
  assert.deepEqual(pieces('<a href="https://x.test/">'), [
    { text: '<a href="' },
    { text: 'https://x.test/', href: 'https://x.test/' },
    { text: '">' },
  ]);
});

test('text: no character of a message is lost', () => {
  const content = 'a https://x.test/, http://, https://y.test.\n(https://z.test) \u{1f600}';
  assert.equal(
    pieces(content)
      .map(({ text }) => text)
      .join(''),
    content,
  );
});

test('text: lists of names', () => {
  assert.equal(nameList([]), '');
  assert.equal(nameList(['ann']), 'ann');
  assert.equal(nameList(['ann', 'bob']), 'ann and bob');
  assert.equal(nameList(['ann', 'bob', 'eve']), 'ann, bob and eve');
  assert.equal(nameList(['ann', 'bob', 'eve', 'mia', 'tom']), 'ann, bob and 3 others');
  assert.equal(plural(1, 'room'), '1 room');
  assert.equal(plural(2, 'room'), '2 rooms');
});

test('text: a name that runs the other way is kept to itself within a sentence', () => {
  for (const plain of ['General', 'Café 12', '日本', 'a \u{1f600} b', ''])
    assert.equal(isolated(plain), plain);
  assert.equal(isolated('מה שלום'), '\u2068מה שלום\u2069');
  assert.equal(isolated('مرحبا 5!'), '\u2068مرحبا 5!\u2069');
});

test('text: nothing in a name can turn what stands around it', () => {
  assert.equal(isolated('\u202etxet'), '\u2068txet\u2069');
  assert.equal(isolated('a\u2069\u202eb\u2067'), '\u2068ab\u2069', 'also by ending the isolation itself');
});
