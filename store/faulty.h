/* store/faulty.h: a store that fails on command, around any other; for tests.
 *
 * What can go wrong with a call:
 *     fail        nothing is done; CF_EIO, appends FAILED
 *     hang        nothing is done; CF_EIO at the statement deadline, appends UNKNOWN
 *     late MS     it is done, and MS milliseconds later answered; at most until the statement
 *                 deadline, then CF_EIO and appends UNKNOWN
 *     lose        it is done (committed), but the answer is CF_EIO, appends UNKNOWN
 *     refuse      writes: as fail, but only for the appends, as a store that ran out of space
 * All waiting goes through the wait hook. An ended wait (CF_ECLOSING) ends the call with CF_EIO.
 *
 * Scripted from C with cf_faulty_set(), by the thread that owns the store; or from outside by a
 * small text file that is read again before each call. Its lines are
 *     CALL FAULT [MS] [COUNT]
 * with CALL one of: write settle read ping, or one read by name: find_users find_sessions
 * find_members list_rooms read_posts list_dead_letters find_dead_letter. MS stands for late only. COUNT: so many
 * calls, counted from when the file's content last changed; absent: all. The first line that matches counts. An absent
 * or empty file means no fault; a line that cannot be read fails every call, so that a typing error
 * in a test does not pass for a healthy store. */
#ifndef CF_FAULTY_H
#define CF_FAULTY_H

#include "store.h"

typedef enum {
    CF_FAULT_NONE,
    CF_FAULT_FAIL,
    CF_FAULT_HANG,
    CF_FAULT_LATE,
    CF_FAULT_LOSE,
    CF_FAULT_REFUSE,
} cf_fault_t;

typedef enum {
    CF_CALL_WRITE,
    CF_CALL_SETTLE,
    CF_CALL_PING,
    CF_CALL_FIND_USERS,
    CF_CALL_FIND_SESSIONS,
    CF_CALL_FIND_MEMBERS,
    CF_CALL_LIST_ROOMS,
    CF_CALL_READ_POSTS,
    CF_CALL_LIST_DEAD_LETTERS,
    CF_CALL_FIND_DEAD_LETTER,
    CF_CALL_COUNT,
} cf_call_t;

/* Wraps inner, which then belongs to the new store. config gives statement_ms and wait. On
 * CF_ENOMEM inner is still the caller's. */
int cf_faulty_wrap(cf_store_t **out, cf_store_t *inner, const cf_store_config_t *config);

/* After `skip` more good calls of this kind, `count` of them meet the fault (0: all from then on).
 * late_ms counts for CF_FAULT_LATE. Replaces what was set for this call. store must come from
 * cf_faulty_wrap(). */
void cf_faulty_set(cf_store_t *store, cf_call_t call, cf_fault_t fault, uint32_t skip,
                   uint32_t count, int late_ms);

/* Opens "faulty:FILE:INNER-URL"; FILE without a colon in its path. Errors of cf_store_open. Reached
 * by cf_store_open() only when CONFAB_CRASH_POINTS is compiled in. */
int cf_faulty_open(cf_store_t **out, const cf_store_config_t *config);

#endif
