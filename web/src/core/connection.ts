/**
 * The life of one room's connection, as a pure state machine: what happened goes in, what to do comes out.
 *
 *     joining -> connecting -> entering -> filling -> live
 *        ^____________ waiting <______________________|       any -> ended
 *
 * Joining by REST makes us a member and, as a browser hides the status of a refused upgrade, tells why one
 * was refused. Entering lasts until the room's first word: from there on nothing is missed, so history is
 * asked for then, and live posts wait until it is in.
 */

export type Phase = 'idle' | 'joining' | 'connecting' | 'entering' | 'filling' | 'live' | 'waiting' | 'ended';
export type Ending = 'signed-out' | 'gone' | 'left';

export interface Connection {
  phase: Phase;
  ending: Ending | null;
  /** Attempts in a row that did not last. */
  attempt: number;
  /** The next attempt begins by joining. */
  rejoin: boolean;
  /** When the room was entered; 0: it is not. */
  liveSinceMs: number;
  /** While waiting: when the next attempt is due. */
  dueMs: number;
  /** Was it ever live? Before that there is no gap to speak of. */
  wasLive: boolean;
}

export type Happened =
  | { type: 'start' }
  | { type: 'joined' }
  | { type: 'opened' }
  | { type: 'welcomed' }
  | { type: 'filled' }
  /** A REST call failed; status 0: without an answer. */
  | { type: 'refused'; status: number; waitMs: number | null }
  | { type: 'closed'; code: number; reason: string }
  /** The timer that `wait` asked for. */
  | { type: 'due' }
  /** There is reason to try at once: the person asked, the network is back, the machine woke up. */
  | { type: 'woken' }
  | { type: 'left' };

export type Effect =
  | { do: 'join' }
  | { do: 'connect' }
  | { do: 'fill' }
  /** Close the socket and forget it. */
  | { do: 'drop' }
  /** One timer at a time; it replaces the one before. */
  | { do: 'wait'; ms: number };

export const CONNECT_LIMIT_MS = 15_000;
/** A room that says nothing is filled from history all the same. */
export const WELCOME_LIMIT_MS = 5_000;
/** What lasted as long counts as a success. */
const STABLE_MS = 10_000;
const FIRST_MS = 2_000;
const LONGEST_MS = 30_000;
const LEAST_MS = 300;

export const idle: Connection = {
  phase: 'idle',
  ending: null,
  attempt: 0,
  rejoin: true,
  liveSinceMs: 0,
  dueMs: 0,
  wasLive: false,
};

/** Full jitter, so that those who were cut off together do not come back together. */
export function backoffMs(attempt: number, random: number): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** attempt);
  return Math.round(LEAST_MS + random * (ceiling - LEAST_MS));
}

/** The advice in the reason of a Close: "going away; retry_after_ms=1234". */
export function adviceMs(reason: string): number | null {
  const found = /\bretry_after_ms=(\d{1,7})\b/.exec(reason);
  return found ? Number(found[1]) : null;
}

/**
 * What there is to tell of a connection that was live, or has failed: it waits, or tries again. A first attempt
 * that goes well is nothing to speak of.
 */
export function lostState({ phase, attempt, wasLive }: Connection): 'waiting' | 'trying' | null {
  if (phase === 'waiting') return 'waiting';
  if (phase === 'live' || phase === 'ended' || phase === 'idle') return null;
  return attempt > 0 || wasLive ? 'trying' : null;
}

function end(was: Connection, ending: Ending): [Connection, Effect[]] {
  return [{ ...was, phase: 'ended', ending, liveSinceMs: 0, dueMs: 0 }, [{ do: 'drop' }]];
}

function again(was: Connection): [Connection, Effect[]] {
  const phase = was.rejoin ? 'joining' : 'connecting';
  const tries: Effect[] = was.rejoin
    ? [{ do: 'join' }]
    : [{ do: 'connect' }, { do: 'wait', ms: CONNECT_LIMIT_MS }];
  return [{ ...was, phase, liveSinceMs: 0, dueMs: 0 }, tries];
}

function waitFor(was: Connection, ms: number, nowMs: number): [Connection, Effect[]] {
  const next = {
    ...was,
    phase: 'waiting' as const,
    attempt: was.attempt + 1,
    liveSinceMs: 0,
    dueMs: nowMs + ms,
  };
  return [next, [{ do: 'drop' }, { do: 'wait', ms }]];
}

function onRefused(
  was: Connection,
  { status, waitMs }: { status: number; waitMs: number | null },
  nowMs: number,
  random: number,
): [Connection, Effect[]] {
  if (status === 401) return end(was, 'signed-out');
  if (status === 404) return end(was, 'gone');
  const rejoin = was.rejoin || status === 403;
  return waitFor({ ...was, rejoin }, Math.max(waitMs ?? 0, backoffMs(was.attempt, random)), nowMs);
}

function onClosed(
  was: Connection,
  { code, reason }: { code: number; reason: string },
  nowMs: number,
  random: number,
): [Connection, Effect[]] {
  const lasted = was.liveSinceMs > 0 && nowMs - was.liveSinceMs >= STABLE_MS;
  const attempt = lasted ? 0 : was.attempt;
  /* Refused before it opened, or by a rule: only REST tells which. */
  const rejoin = was.rejoin || was.phase === 'connecting' || code === 1008;
  const next = { ...was, attempt, rejoin };
  if (code === 1008 && attempt === 0) return again({ ...next, attempt: 1 });
  return waitFor(next, adviceMs(reason) ?? backoffMs(attempt, random), nowMs);
}

/** What follows from what happened. What does not fit the phase changes nothing: it came too late. */
export function step(
  was: Connection,
  happened: Happened,
  nowMs: number,
  random: number,
): [Connection, Effect[]] {
  const stay: [Connection, Effect[]] = [was, []];
  if (was.phase === 'ended') return stay;
  if (happened.type === 'left') return end(was, 'left');
  switch (was.phase) {
    case 'idle':
      return happened.type === 'start' ? again(was) : stay;
    case 'joining':
      if (happened.type === 'joined') return again({ ...was, rejoin: false });
      return happened.type === 'refused' ? onRefused(was, happened, nowMs, random) : stay;
    case 'connecting':
      if (happened.type === 'opened')
        return [{ ...was, phase: 'entering' }, [{ do: 'wait', ms: WELCOME_LIMIT_MS }]];
      if (happened.type === 'due')
        return waitFor({ ...was, rejoin: true }, backoffMs(was.attempt, random), nowMs);
      return happened.type === 'closed' ? onClosed(was, happened, nowMs, random) : stay;
    case 'entering':
      if (happened.type === 'welcomed' || happened.type === 'due')
        return [{ ...was, phase: 'filling' }, [{ do: 'fill' }]];
      return happened.type === 'closed' ? onClosed(was, happened, nowMs, random) : stay;
    case 'filling':
      if (happened.type === 'filled')
        return [{ ...was, phase: 'live', liveSinceMs: nowMs, wasLive: true }, []];
      if (happened.type === 'refused') return onRefused(was, happened, nowMs, random);
      return happened.type === 'closed' ? onClosed(was, happened, nowMs, random) : stay;
    case 'live':
      if (happened.type === 'closed') return onClosed(was, happened, nowMs, random);
      /* A socket may look open long after the network or the machine went away under it. */
      if (happened.type === 'woken') {
        const [next, effects] = again(was);
        return [next, [{ do: 'drop' }, ...effects]];
      }
      return stay;
    case 'waiting':
      return happened.type === 'due' || happened.type === 'woken' ? again(was) : stay;
  }
}
