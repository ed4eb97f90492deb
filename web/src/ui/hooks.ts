import { useEffect, useLayoutEffect, useReducer, useState } from 'preact/hooks';
import type { Watched } from '../client/watched.ts';

/** Draws again whenever the thing changes. */
export function useWatched<T extends Watched>(thing: T): T {
  const [, draw] = useReducer((n: number) => n + 1, 0);
  useLayoutEffect(() => thing.watch(() => draw(undefined)), [thing]);
  return thing;
}

/** The time, every second while it is needed. */
export function useNowMs(isNeeded: boolean): number {
  const [nowMs, setNowMs] = useState(Date.now());
  useEffect(() => {
    if (!isNeeded) return undefined;
    setNowMs(Date.now());
    const ticker = setInterval(() => setNowMs(Date.now()), 250);
    return () => clearInterval(ticker);
  }, [isNeeded]);
  return nowMs;
}
