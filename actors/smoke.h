/* actors/smoke.h: `confab smoke`: is this a chat? Two users log in, each at one of two URLs, and each has to read what the
 * other writes, from the WebSocket and from the history. They are made for it and stay, as their room does. */
#ifndef CF_SMOKE_H
#define CF_SMOKE_H

#define CF_SMOKE_SECONDS 60 /* for all of it, unless said otherwise */
#define CF_SMOKE_SECONDS_MAX 3600
#define CF_SMOKE_ANSWER_MAX (1u << 20) /* bytes of an answer */

/* words: what follows `smoke`. Prints what came of it. Returns an exit code: 0; CF_EXIT_FAILURE: it is none, and why; 2:
 * wrong usage. */
int cf_smoke(char **words, int n);

#endif
