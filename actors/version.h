/* actors/version.h: which confab this is. Linked into the program alone, from version.c.in, as it is another one with each commit. */
#ifndef CF_VERSION_H
#define CF_VERSION_H

extern const char cf_version[]; /* as cmake/version says */
extern const char cf_agent[];   /* what other servers are told: confab/VERSION */

#endif
