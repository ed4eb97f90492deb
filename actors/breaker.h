/* actors/breaker.h: leaves a service alone that fails again and again.
 *
 *     CLOSED     attempts go through; failures_max of them failed in a row -> OPEN
 *     OPEN       none goes through for pause_us -> HALF_OPEN
 *     HALF_OPEN  CF_BREAKER_PROBES at once at most; one that succeeds -> CLOSED, one that fails -> OPEN
 *
 * An attempt that was begun before the state changed changes nothing when it ends. */
#ifndef CF_BREAKER_H
#define CF_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define CF_BREAKER_PROBES 3

typedef enum { CF_BREAKER_CLOSED, CF_BREAKER_OPEN, CF_BREAKER_HALF_OPEN } cf_breaker_state_t;
typedef enum { CF_ATTEMPT_SUCCEEDED, CF_ATTEMPT_FAILED, CF_ATTEMPT_DROPPED } cf_attempt_end_t;

typedef struct {
    uint32_t failures_max;
    int64_t pause_us;
    cf_breaker_state_t state;
    uint32_t failures; /* in a row, while CLOSED */
    uint32_t probes;   /* under way, while HALF_OPEN */
    int64_t until_us;  /* while OPEN */
    uint32_t round;    /* counts the changes of state */
} cf_breaker_t;

/* May an attempt begin? With true, *round is to be handed to cf_breaker_end() once it has ended. */
bool cf_breaker_begin(cf_breaker_t *self, int64_t now_us, uint32_t *round);
/* DROPPED: it says nothing about the service. */
void cf_breaker_end(cf_breaker_t *self, int64_t now_us, uint32_t round, cf_attempt_end_t how);
cf_breaker_state_t cf_breaker_state(const cf_breaker_t *self, int64_t now_us);

#endif
