import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adviceMs, backoffMs, idle, lostState, step } from '../../web/src/core/connection.ts';
import type { Connection, Effect, Happened } from '../../web/src/core/connection.ts';

/** Runs a connection through what happens at given times; jitter is a half unless said otherwise. */
class Run {
  state: Connection = idle;
  effects: Effect[] = [];
  at = 1_000_000;

  on(happened: Happened, afterMs = 0, random = 0.5): this {
    this.at += afterMs;
    [this.state, this.effects] = step(this.state, happened, this.at, random);
    return this;
  }

  get does(): string {
    return this.effects.map((effect) => effect.do).join(' ');
  }

  get waitMs(): number {
    const wait = this.effects.find((effect) => effect.do === 'wait');
    assert(wait?.do === 'wait');
    return wait.ms;
  }
}

function live(): Run {
  return new Run()
    .on({ type: 'start' })
    .on({ type: 'joined' })
    .on({ type: 'opened' })
    .on({ type: 'welcomed' })
    .on({ type: 'filled' });
}

test('connection: joins, connects, waits for the room’s first word, and only then asks for history', () => {
  const run = new Run().on({ type: 'start' });
  assert.equal(run.does, 'join');
  assert.equal(run.on({ type: 'joined' }).does, 'connect wait');
  assert.equal(run.on({ type: 'opened' }).does, 'wait');
  assert.equal(run.state.phase, 'entering');
  assert.equal(run.on({ type: 'welcomed' }).does, 'fill');
  assert.equal(run.on({ type: 'filled' }).does, '');
  assert.equal(run.state.phase, 'live');
});

test('connection: a room that says nothing is filled after a while all the same', () => {
  const run = new Run()
    .on({ type: 'start' })
    .on({ type: 'joined' })
    .on({ type: 'opened' })
    .on({ type: 'due' }, 5000);
  assert.equal(run.does, 'fill');
});

test('connection: after a close it waits, then connects without joining again', () => {
  const run = live().on({ type: 'closed', code: 1006, reason: '' }, 60_000);
  assert.equal(run.state.phase, 'waiting');
  assert.equal(run.does, 'drop wait');
  assert.equal(run.state.dueMs, run.at + run.waitMs);
  assert.equal(run.on({ type: 'due' }, run.waitMs).does, 'connect wait');
});

test('connection: a refused upgrade is looked into by joining', () => {
  const run = live().on({ type: 'closed', code: 1006, reason: '' }, 60_000).on({ type: 'due' }, 2000);
  assert.equal(run.state.phase, 'connecting');
  run.on({ type: 'closed', code: 1006, reason: '' });
  assert.equal(run.on({ type: 'due' }, 4000).does, 'join');
});

test('connection: an upgrade without any answer is given up', () => {
  const run = new Run().on({ type: 'start' }).on({ type: 'joined' }).on({ type: 'due' }, 15_000);
  assert.equal(run.state.phase, 'waiting');
  assert.equal(run.does, 'drop wait');
});

test('connection: the end of the session ends it', () => {
  for (const reason of ['session ended', 'session expired']) {
    const run = live().on({ type: 'closed', code: 1008, reason }, 60_000);
    assert.equal(run.does, 'join', 'REST tells whether it is the session');
    run.on({ type: 'refused', status: 401, waitMs: null });
    assert.equal(run.state.ending, 'signed-out');
    assert.equal(run.on({ type: 'due' }).does, '');
  }
  assert.equal(
    new Run().on({ type: 'start' }).on({ type: 'refused', status: 401, waitMs: null }).state.ending,
    'signed-out',
  );
});

test('connection: a room that closes with 1008 again and again is not hammered', () => {
  const run = live().on({ type: 'closed', code: 1008, reason: 'not a member' }, 60_000);
  assert.equal(run.does, 'join');
  run
    .on({ type: 'joined' })
    .on({ type: 'opened' })
    .on({ type: 'closed', code: 1008, reason: 'not a member' });
  assert.equal(run.does, 'drop wait');
});

test('connection: a room that does not exist ends it', () => {
  assert.equal(
    new Run().on({ type: 'start' }).on({ type: 'refused', status: 404, waitMs: null }).state.ending,
    'gone',
  );
});

test('connection: advice is followed, in a Close and in Retry-After', () => {
  const told = live().on({ type: 'closed', code: 1001, reason: 'going away; retry_after_ms=7421' }, 60_000);
  assert.equal(told.waitMs, 7421);
  const refused = new Run().on({ type: 'start' }).on({ type: 'refused', status: 503, waitMs: 9000 });
  assert.equal(refused.waitMs, 9000);
  assert.equal(refused.on({ type: 'due' }, 9000).does, 'join');
});

test('connection: advice is read only where it stands', () => {
  assert.equal(adviceMs('going away; retry_after_ms=0'), 0);
  assert.equal(adviceMs(''), null);
  assert.equal(adviceMs('retry_after_ms=x'), null);
  assert.equal(adviceMs('retry_after_ms=99999999999'), null);
});

test('connection: waits grow, up to half a minute, and spread', () => {
  const longest = [0, 1, 2, 3, 4, 5, 50].map((attempt) => backoffMs(attempt, 1));
  assert.deepEqual(longest, [2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  for (let attempt = 0; attempt < 8; attempt++) {
    const waits = Array.from({ length: 11 }, (_, i) => backoffMs(attempt, i / 10));
    assert.equal(new Set(waits).size, 11);
    assert(Math.min(...waits) >= 300);
  }
});

test('connection: attempts count until one has lasted', () => {
  const run = new Run().on({ type: 'start' });
  for (let i = 0; i < 4; i++)
    run.on({ type: 'refused', status: 0, waitMs: null }, 0, 1).on({ type: 'due' }, 30_000);
  assert.equal(run.state.attempt, 4);
  run.on({ type: 'joined' }).on({ type: 'opened' }).on({ type: 'welcomed' }).on({ type: 'filled' });
  run.on({ type: 'closed', code: 1006, reason: '' }, 9_999, 1);
  assert.equal(run.waitMs, 30_000, 'it did not last');
  run.on({ type: 'due' }).on({ type: 'opened' }).on({ type: 'welcomed' }).on({ type: 'filled' });
  run.on({ type: 'closed', code: 1006, reason: '' }, 10_000, 1);
  assert.equal(run.waitMs, 2000, 'it did');
});

test('connection: history that cannot be read drops the socket, so that nothing is missed', () => {
  const run = new Run()
    .on({ type: 'start' })
    .on({ type: 'joined' })
    .on({ type: 'opened' })
    .on({ type: 'welcomed' });
  run.on({ type: 'refused', status: 503, waitMs: 1000 }, 0, 0);
  assert.equal(run.does, 'drop wait');
  assert.equal(run.waitMs, 1000);
});

test('connection: lost membership leads to joining', () => {
  const run = new Run()
    .on({ type: 'start' })
    .on({ type: 'joined' })
    .on({ type: 'opened' })
    .on({ type: 'welcomed' });
  run.on({ type: 'refused', status: 403, waitMs: null });
  assert.equal(run.on({ type: 'due' }, 5000).does, 'join');
});

test('connection: a waiting one tries at once when woken, a live one is made anew', () => {
  assert.equal(
    live().on({ type: 'closed', code: 1006, reason: '' }, 60_000).on({ type: 'woken' }).does,
    'connect wait',
  );
  assert.equal(live().on({ type: 'woken' }).does, 'drop connect wait');
});

test('connection: whatever was live and is not is told of', () => {
  const first = new Run();
  assert.equal(lostState(first.state), null);
  for (const type of ['start', 'joined', 'opened', 'welcomed', 'filled'] as const)
    assert.equal(lostState(first.on({ type }).state), null, type);
  const woken = first.on({ type: 'woken' });
  assert.equal(woken.state.attempt, 0);
  assert.equal(lostState(woken.state), 'trying');
  for (const type of ['opened', 'welcomed'] as const)
    assert.equal(lostState(woken.on({ type }).state), 'trying', type);
  assert.equal(lostState(woken.on({ type: 'filled' }).state), null);
  assert.equal(lostState(woken.on({ type: 'closed', code: 1006, reason: '' }).state), 'waiting');
  assert.equal(lostState(woken.on({ type: 'left' }).state), null);
  const failed = new Run().on({ type: 'start' }).on({ type: 'refused', status: 0, waitMs: null });
  assert.equal(lostState(failed.state), 'waiting');
  assert.equal(lostState(failed.on({ type: 'due' }).state), 'trying');
});

test('connection: what comes too late changes nothing', () => {
  const late: Happened[] = [
    { type: 'start' },
    { type: 'joined' },
    { type: 'opened' },
    { type: 'welcomed' },
    { type: 'filled' },
    { type: 'due' },
    { type: 'refused', status: 401, waitMs: null },
  ];
  for (const happened of late) {
    const run = live();
    const { state } = run;
    run.on(happened);
    assert.equal(run.state, state, happened.type);
    assert.equal(run.does, '');
  }
});

test('connection: who has left does not come back', () => {
  const run = live().on({ type: 'left' });
  assert.equal(run.does, 'drop');
  for (const type of ['due', 'woken', 'start'] as const) assert.equal(run.on({ type }).does, '');
});

test('connection: whatever happens, in whatever order, it can be brought to life again', () => {
  const all: Happened[] = [
    { type: 'joined' },
    { type: 'opened' },
    { type: 'welcomed' },
    { type: 'filled' },
    { type: 'due' },
    { type: 'woken' },
    { type: 'refused', status: 503, waitMs: null },
    { type: 'closed', code: 1006, reason: '' },
    { type: 'closed', code: 1013, reason: 'reload' },
  ];
  let seed = 1;
  const random = (): number => (seed = (seed * 48271) % 2147483647) / 2147483647;
  for (let round = 0; round < 500; round++) {
    const run = new Run().on({ type: 'start' });
    for (let i = 0; i < 40; i++) run.on(all[Math.floor(random() * all.length)]!, 1000, random());
    for (let i = 0; i < 8 && run.state.phase !== 'live'; i++) {
      const { phase } = run.state;
      const next = {
        joining: 'joined',
        connecting: 'opened',
        entering: 'welcomed',
        filling: 'filled',
        waiting: 'due',
      };
      run.on({ type: next[phase as keyof typeof next] } as Happened, 1000);
    }
    assert.equal(run.state.phase, 'live');
  }
});
