#include "link/reliable.h"

#include "clock.h"
#include "err.h"
#include "little_endian.h"
#include "wire/msg.h"

#include <stdlib.h>

#define HEAD_VERSION 1

typedef enum { BODY = 1, NO_BODY = 2, MISSING = 3 } kind_t;

/* A body that the other side has not confirmed, in its frame. */
typedef struct kept {
    struct kept *next;
    uint64_t number;
    size_t size; /* of the frame */
    bool was_sent;
    uint8_t frame[];
} kept_t;

struct cf_reliable {
    cf_reliable_config_t config;
    kept_t *kept, **kept_end; /* oldest first */
    kept_t *unsent;           /* the first of them that is to be sent; NULL: none */
    size_t bytes;             /* of their frames */
    uint64_t newest;          /* number of the last that was put */
    uint64_t confirmed;       /* the other side has all up to it */
    int64_t again_us;         /* when the oldest is sent again; INT64_MAX: nothing is on its way */
    bool
        stalled; /* nothing was confirmed in time: the oldest is sent again alone, until something is */
    uint64_t again;
    uint64_t read;      /* the latest that came in order */
    int64_t confirm_us; /* when it is to be confirmed; INT64_MAX: it was */
    bool is_missing;    /* the one behind it was passed over, and the other side is to be told */
    int64_t missing_us; /* when it may be told so again */
    int64_t said_us;    /* when the last frame of ours was sent */
    int64_t heard_us;
    kept_t *given; /* by next(); NULL: `plain` */
    uint8_t plain[CF_RELIABLE_HEAD];
};

int cf_reliable_new(cf_reliable_t **out, const cf_reliable_config_t *config, int64_t boot_us)
{
    cf_reliable_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->config = *config;
    self->kept_end = &self->kept;
    self->again_us = self->confirm_us = INT64_MAX;
    self->said_us = boot_us - config->idle_us;
    *out = self;
    return 0;
}

static void drop_oldest(cf_reliable_t *self)
{
    kept_t *oldest = self->kept;
    self->kept = oldest->next;
    if (!self->kept)
        self->kept_end = &self->kept;
    if (self->unsent == oldest)
        self->unsent = oldest->next;
    self->bytes -= oldest->size;
    free(oldest);
}

void cf_reliable_destroy(cf_reliable_t **self)
{
    if (!*self)
        return;
    while ((*self)->kept)
        drop_oldest(*self);
    free(*self);
    *self = NULL;
}

int cf_reliable_put(cf_reliable_t *self, const void *body, size_t size)
{
    size_t whole = CF_RELIABLE_HEAD + size;
    if (size > UINT32_MAX || whole > self->config.bytes_max - self->bytes)
        return CF_EFULL;
    kept_t *kept = malloc(sizeof *kept + whole);
    if (!kept)
        return CF_ENOMEM;
    *kept = (kept_t){.number = ++self->newest, .size = whole};
    memcpy(kept->frame + CF_RELIABLE_HEAD, body, size);
    *self->kept_end = kept;
    self->kept_end = &kept->next;
    if (!self->unsent)
        self->unsent = kept;
    self->bytes += whole;
    return 0;
}

/* --- sending -----------------------------------------------------------------------------------
 */

static void put_head(const cf_reliable_t *self, uint8_t *at, kind_t kind, uint64_t number,
                     size_t size)
{
    at[0] = HEAD_VERSION;
    at[1] = CF_MSG_VERSION;
    at[2] = (uint8_t)kind;
    at[3] = 0;
    cf_put_le32(at + 4, (uint32_t)size);
    cf_put_le32(at + 8, self->config.me);
    cf_put_le32(at + 12, self->config.peer);
    cf_put_le64(at + 16, number);
    cf_put_le64(at + 24, self->read);
}

static bool may_send_body(const cf_reliable_t *self, int64_t boot_us)
{
    return self->unsent && (!self->stalled || boot_us >= self->again_us);
}

static bool must_tell_missing(const cf_reliable_t *self, int64_t boot_us)
{
    return self->is_missing && boot_us >= self->missing_us;
}

static bool must_confirm(const cf_reliable_t *self, int64_t boot_us)
{
    return boot_us >= self->confirm_us || boot_us - self->said_us >= self->config.idle_us;
}

bool cf_reliable_next(cf_reliable_t *self, int64_t boot_us, const uint8_t **frame, size_t *size)
{
    if (boot_us >=
        self->again_us) { /* it alone: where nobody listens the others would only fill the socket */
        self->stalled = true;
        self->unsent = self->kept;
    }
    bool tells_missing = must_tell_missing(self, boot_us);
    self->given = !tells_missing && may_send_body(self, boot_us) ? self->unsent : NULL;
    if (self->given) {
        put_head(self, self->given->frame, BODY, self->given->number,
                 self->given->size - CF_RELIABLE_HEAD);
        *frame = self->given->frame;
        *size = self->given->size;
        return true;
    }
    if (!tells_missing && !must_confirm(self, boot_us))
        return false;
    put_head(self, self->plain, tells_missing ? MISSING : NO_BODY, 0, 0);
    *frame = self->plain;
    *size = sizeof self->plain;
    return true;
}

void cf_reliable_sent(cf_reliable_t *self, int64_t boot_us)
{
    self->said_us = boot_us;
    self->confirm_us = INT64_MAX;
    if (!self->given) {
        if (self->plain[2] == MISSING)
            self->missing_us = boot_us + self->config.again_us;
        return;
    }
    if (self->again_us == INT64_MAX || self->stalled)
        self->again_us = boot_us + self->config.again_us;
    self->again += self->given->was_sent;
    self->given->was_sent = true;
    self->unsent = self->given->next;
}

int64_t cf_reliable_due_us(const cf_reliable_t *self)
{
    int64_t due_us = cf_earlier_us(self->said_us + self->config.idle_us, self->confirm_us);
    if (self->unsent && !self->stalled)
        return 0;
    if (self->is_missing)
        due_us = cf_earlier_us(due_us, self->missing_us);
    return cf_earlier_us(due_us, self->again_us);
}

/* --- reading -----------------------------------------------------------------------------------
 */

static void take_confirmation(cf_reliable_t *self, uint64_t read, bool is_missing, int64_t boot_us)
{
    if (read > self->confirmed) {
        while (self->kept && self->kept->number <= read)
            drop_oldest(self);
        self->confirmed = read;
        self->stalled = false;
        bool is_on_its_way = self->kept && self->kept != self->unsent;
        self->again_us = is_on_its_way ? boot_us + self->config.again_us : INT64_MAX;
    }
    if (is_missing && read == self->confirmed) {
        self->stalled = false;
        self->unsent = self->kept;
        self->again_us = INT64_MAX;
    }
}

static int take_body(cf_reliable_t *self, uint64_t number, int64_t boot_us)
{
    if (number == self->read + 1) {
        self->read = number;
        self->is_missing = false;
        self->confirm_us = cf_earlier_us(self->confirm_us, boot_us + self->config.confirm_us);
        return 1;
    }
    if (number > self->read)
        self->is_missing = true;
    else
        self->confirm_us = boot_us; /* it was sent again, so it does not know */
    return 0;
}

int cf_reliable_read(cf_reliable_t *self, const uint8_t *frame, size_t size, int64_t boot_us,
                     const uint8_t **body, size_t *body_size)
{
    if (!cf_reliable_has_version(frame, size) || frame[2] < BODY || frame[2] > MISSING ||
        frame[3] != 0 || cf_get_le32(frame + 4) != size - CF_RELIABLE_HEAD ||
        cf_get_le32(frame + 8) != self->config.peer || cf_get_le32(frame + 12) != self->config.me)
        return CF_EPROTO;
    uint64_t number = cf_get_le64(frame + 16), read = cf_get_le64(frame + 24);
    bool has_body = frame[2] == BODY;
    if (has_body != (number > 0) || has_body != (size > CF_RELIABLE_HEAD) || read > self->newest)
        return CF_EPROTO;
    self->heard_us = boot_us;
    take_confirmation(self, read, frame[2] == MISSING, boot_us);
    if (!has_body)
        return 0;
    *body = frame + CF_RELIABLE_HEAD;
    *body_size = size - CF_RELIABLE_HEAD;
    return take_body(self, number, boot_us);
}

bool cf_reliable_has_version(const uint8_t *frame, size_t size)
{
    return size >= CF_RELIABLE_HEAD && frame[0] == HEAD_VERSION && frame[1] == CF_MSG_VERSION;
}

uint32_t cf_reliable_from(const uint8_t *frame, size_t size)
{
    return size < CF_RELIABLE_HEAD ? 0 : cf_get_le32(frame + 8);
}

uint32_t cf_reliable_to(const uint8_t *frame, size_t size)
{
    return cf_reliable_has_version(frame, size) ? cf_get_le32(frame + 12) : 0;
}

uint64_t cf_reliable_again(const cf_reliable_t *self)
{
    return self->again;
}

int64_t cf_reliable_heard_us(const cf_reliable_t *self)
{
    return self->heard_us;
}

size_t cf_reliable_bytes(const cf_reliable_t *self)
{
    return self->bytes;
}
