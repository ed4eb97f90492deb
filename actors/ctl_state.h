/* actors/ctl_state.h: what the commands of `confab ctl` have in common, for the files that together are it: ctl.c
 * (the connection, the table of commands, rooms), ctl_users.c, ctl_letters.c. Nobody else includes it. */
#ifndef CF_CTL_STATE_H
#define CF_CTL_STATE_H

#include "ctl.h"
#include "local/local_server.h"
#include "wire/msg.h"

typedef struct {
    const cf_config_t *config;
    int fd;
    cf_buf_t out;     /* a frame, or a line */
    cf_arena_t arena; /* of the newest answer's body */
    uint8_t answer[CF_LOCAL_ANSWER_MAX];
} cf_ctl_t;

#define CF_CTL_USAGE 2

/* Each returns 0 or an error. */
int cf_ctl_ask(cf_ctl_t *self, uint16_t type, uint64_t corr, const void *body);
/* The next answer, until wait_us are over; it borrows from self. */
int cf_ctl_await(cf_ctl_t *self, cf_msg_t *out, int64_t wait_us);
/* Ask, and read the answer into *out. What the server has refused is its error. */
int cf_ctl_exchange(cf_ctl_t *self, uint16_t type, const void *body, uint16_t answer_type,
                    void *out);
/* Says on stderr why it did not work; returns the exit code. */
int cf_ctl_failed(const char *what, int rc);

/* ctl_users.c; commands, as the table in ctl.c has them */
int cf_ctl_users_disable(cf_ctl_t *self, char **words, int n);
int cf_ctl_users_enable(cf_ctl_t *self, char **words, int n);
/* ctl_letters.c */
int cf_ctl_replay(cf_ctl_t *self, char **words, int n);

#endif
