/** Line icons on a grid of 24, in the colour of the text around them. Decoration: the words stand elsewhere. */

import type { ComponentChildren } from 'preact';

function icon(shapes: ComponentChildren) {
  return ({ size = 20 }: { size?: number }) => (
    <svg
      class="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="1.75"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {shapes}
    </svg>
  );
}

export const Plus = icon(<path d="M12 5v14M5 12h14" />);
export const Search = icon(
  <>
    <circle cx="11" cy="11" r="6.5" />
    <path d="m20 20-4.2-4.2" />
  </>,
);
export const People = icon(
  <>
    <circle cx="9" cy="8" r="3.5" />
    <path d="M2.5 19.5c.6-3.4 3.2-5.5 6.5-5.5s5.9 2.1 6.5 5.5M16 4.8a3.5 3.5 0 0 1 0 6.4M18 14.6c1.8.8 3.1 2.5 3.5 4.9" />
  </>,
);
export const Send = icon(<path d="M12 19V5M5.5 11.5 12 5l6.5 6.5" />);
export const Down = icon(<path d="M12 5v14M5.5 12.5 12 19l6.5-6.5" />);
export const Sun = icon(
  <>
    <circle cx="12" cy="12" r="4" />
    <path d="M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M18.7 5.3l-1.4 1.4M6.7 17.3l-1.4 1.4" />
  </>,
);
export const Moon = icon(<path d="M20 14.5A8.3 8.3 0 0 1 9.5 4a8.3 8.3 0 1 0 10.5 10.500Z" />);
export const Screen = icon(
  <>
    <rect x="3" y="4.5" width="18" height="12" rx="2" />
    <path d="M9 20h6M12 16.500V20" />
  </>,
);
export const Leave = icon(
  <path d="M14 4H7a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2h7M10 12h11M17.5 8.5 21 12l-3.5 3.5" />,
);
export const Back = icon(<path d="m14.5 5-7 7 7 7" />);
export const Close = icon(<path d="M6 6l12 12M18 6 6 18" />);
export const Check = icon(<path d="m5 12.5 4.5 4.500L19 7.5" />);
export const Clock = icon(
  <>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M12 7.500V12l3 2" />
  </>,
);
export const Alert = icon(
  <>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M12 8v4.500M12 16v.01" />
  </>,
);
export const Hash = icon(<path d="M9.5 4 7.5 20M16.5 4l-2 16M4.5 9h15.500M4 15h15.5" />);
export const Hourglass = icon(
  <path d="M6.5 3.500h11M6.5 20.500h11M8 3.500c0 5 4 5.5 4 8.500s-4 3.5-4 8.500M16 3.500c0 5-4 5.5-4 8.500s4 3.5 4 8.5" />,
);
export const Eye = icon(
  <>
    <path d="M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12Z" />
    <circle cx="12" cy="12" r="3" />
  </>,
);
export const Bot = icon(
  <>
    <rect x="4.5" y="8" width="15" height="11" rx="3" />
    <path d="M12 8V4.500M9 13v1M15 13v1M2.5 12.500v3M21.5 12.500v3" />
  </>,
);
export const Pencil = icon(
  <path d="m4 20 .9-3.700L16 5.200a1.9 1.9 0 0 1 2.7 0l.1.100a1.9 1.9 0 0 1 0 2.700L7.7 19.1 4 20Z" />,
);
export const Offline = icon(
  <path d="M3.5 9.500A12.5 12.5 0 0 1 8 6.800M12.5 6c3 .2 5.8 1.4 8 3.500M6.8 13a8 8 0 0 1 3-1.800M14.5 11.400c1 .4 1.9.9 2.7 1.600M12 18v.01M4 4l16 16" />,
);

/** Two speech bubbles that share an edge. */
export function Brand({ size = 28 }: { size?: number }) {
  return (
    <svg
      class="brand-mark"
      width={size}
      height={size}
      viewBox="0 0 32 32"
      aria-hidden="true"
      focusable="false"
    >
      <path
        class="brand-back"
        d="M12 10.500a4.5 4.5 0 0 1 4.5-4.500h8a4.5 4.5 0 0 1 4.5 4.500v5.500a4.5 4.5 0 0 1-4.5 4.500H24v3.300a.7.7 0 0 1-1.2.500L19 20.500h-2.500a4.5 4.5 0 0 1-4.5-4.500Z"
      />
      <path
        class="brand-front"
        d="M3 14a4.5 4.5 0 0 1 4.5-4.500h8A4.5 4.5 0 0 1 20 14v5.500a4.5 4.5 0 0 1-4.5 4.500H13l-3.8 3.800a.7.7 0 0 1-1.2-.500V24h-.500A4.5 4.5 0 0 1 3 19.500Z"
      />
    </svg>
  );
}
