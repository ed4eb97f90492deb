#include "faulty.h"
#include "append.h"
#include "clock.h"
#include "wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPT_MAX 4096

typedef struct {
    cf_fault_t fault;
    uint32_t skip, count, seen; /* count 0: all from skip on */
    int late_ms;
} rule_t;

typedef struct {
    cf_store_t base;
    cf_store_t *inner; /* owned */
    cf_store_wait_t wait;
    int statement_ms;
    rule_t rules[CF_CALL_COUNT];
    char *script_path;       /* owned; NULL: only cf_faulty_set() */
    char script[SCRIPT_MAX]; /* as read last */
} faulty_t;

static const char *const call_names[CF_CALL_COUNT] = {
    [CF_CALL_WRITE] = "write",
    [CF_CALL_SETTLE] = "settle",
    [CF_CALL_PING] = "ping",
    [CF_CALL_FIND_USERS] = "find_users",
    [CF_CALL_FIND_SESSIONS] = "find_sessions",
    [CF_CALL_FIND_MEMBERS] = "find_members",
    [CF_CALL_LIST_ROOMS] = "list_rooms",
    [CF_CALL_READ_POSTS] = "read_posts",
    [CF_CALL_LIST_DEAD_LETTERS] = "list_dead_letters",
    [CF_CALL_FIND_DEAD_LETTER] = "find_dead_letter",
};
static const char *const fault_names[] = {
    [CF_FAULT_FAIL] = "fail", [CF_FAULT_HANG] = "hang",     [CF_FAULT_LATE] = "late",
    [CF_FAULT_LOSE] = "lose", [CF_FAULT_REFUSE] = "refuse",
};

/* --- the script --------------------------------------------------------------------------------
 */

static bool names_call(const char *name, cf_call_t call)
{
    return strcmp(name, call_names[call]) == 0 ||
           (call >= CF_CALL_FIND_USERS && strcmp(name, "read") == 0);
}

static cf_fault_t fault_named(const char *name)
{
    for (size_t i = 1; i < sizeof fault_names / sizeof fault_names[0]; i++)
        if (strcmp(name, fault_names[i]) == 0)
            return (cf_fault_t)i;
    return CF_FAULT_NONE;
}

/* One line into the rules it names, unless an earlier line has set them; false: cannot be read. */
static bool take_line(faulty_t *self, const char *line)
{
    char call[32], fault[32];
    unsigned first = 0, second = 0;
    int fields = sscanf(line, "%31s %31s %u %u", call, fault, &first, &second);
    if (fields <= 0)
        return true; /* blank */
    rule_t rule = {.fault = fields >= 2 ? fault_named(fault) : CF_FAULT_NONE};
    bool late = rule.fault == CF_FAULT_LATE;
    if (rule.fault == CF_FAULT_NONE || (late && fields < 3) || (!late && fields > 3))
        return false;
    rule.late_ms = late ? (int)(first & 0xffffff) : 0;
    rule.count = late ? second : first;
    bool known = false;
    for (int i = 0; i < CF_CALL_COUNT; i++)
        if (names_call(call, (cf_call_t)i)) {
            known = true;
            if (self->rules[i].fault == CF_FAULT_NONE)
                self->rules[i] = rule;
        }
    return known;
}

static void take_script(faulty_t *self, char *text)
{
    char *rest = NULL;
    bool good = true;
    memset(self->rules, 0, sizeof self->rules);
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        good &= take_line(self, line);
    for (int i = 0; !good && i < CF_CALL_COUNT; i++)
        self->rules[i] = (rule_t){.fault = CF_FAULT_FAIL};
}

static void read_script(faulty_t *self)
{
    char text[SCRIPT_MAX] = "";
    FILE *file = self->script_path ? fopen(self->script_path, "re") : NULL;
    if (file) {
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        fclose(file);
    }
    if (!self->script_path || strcmp(text, self->script) == 0)
        return;
    strcpy(self->script, text);
    take_script(self, text);
}

/* --- faults ------------------------------------------------------------------------------------
 */

static int64_t deadline_us(const faulty_t *self)
{
    return cf_boot_us() + (int64_t)self->statement_ms * 1000;
}

static rule_t next_fault(faulty_t *self, cf_call_t call)
{
    read_script(self);
    rule_t *rule = &self->rules[call];
    if (rule->fault == CF_FAULT_NONE)
        return *rule;
    uint32_t at = rule->seen++;
    if (at < rule->skip || (rule->count > 0 && at - rule->skip >= rule->count))
        return (rule_t){CF_FAULT_NONE};
    return *rule;
}

/* Waits in spite of a descriptor-less call; CF_ETIME when the time was reached. */
static int wait_until(const faulty_t *self, int64_t until_us)
{
    int rc;
    do
        rc = cf_wait(&self->wait, -1, false, until_us);
    while (rc == 0);
    return rc;
}

/* Before the inner call: 0 go on, or CF_EIO and nothing is done. */
static int before(const faulty_t *self, const rule_t *rule)
{
    if (rule->fault == CF_FAULT_FAIL || rule->fault == CF_FAULT_REFUSE)
        return CF_EIO;
    if (rule->fault == CF_FAULT_HANG) {
        wait_until(self, deadline_us(self));
        return CF_EIO;
    }
    return 0;
}

/* After the inner call, begun at start_us: 0 the answer may be told, or CF_EIO and it is lost. */
static int after(const faulty_t *self, const rule_t *rule, int64_t start_us)
{
    if (rule->fault == CF_FAULT_LOSE)
        return CF_EIO;
    if (rule->fault != CF_FAULT_LATE)
        return 0;
    int64_t until_us = start_us + (int64_t)self->statement_ms * 1000;
    int64_t answer_us = cf_boot_us() + (int64_t)rule->late_ms * 1000;
    if (answer_us > until_us) {
        wait_until(self, until_us);
        return CF_EIO;
    }
    return wait_until(self, answer_us) == CF_ETIME ? 0 : CF_EIO;
}

/* Only the appends fail; the rest goes through. */
static int refuse_appends(faulty_t *self, const cf_write_t *writes, size_t n,
                          cf_outcome_t *outcomes)
{
    int rc = 0;
    for (size_t i = 0; i < n; i++) {
        bool append = writes[i].kind == CF_WRITE_APPEND;
        if (append)
            cf_append_none(&writes[i], 1, CF_VERDICT_FAILED, &outcomes[i]);
        if (append || self->inner->ops->write(self->inner, &writes[i], 1, &outcomes[i]) < 0)
            rc = CF_EIO;
    }
    return rc;
}

static int faulty_write(cf_store_t *base, const cf_write_t *writes, size_t n,
                        cf_outcome_t *outcomes)
{
    faulty_t *self = (faulty_t *)base;
    int64_t start_us = cf_boot_us();
    rule_t rule = next_fault(self, CF_CALL_WRITE);
    if (rule.fault == CF_FAULT_REFUSE)
        return refuse_appends(self, writes, n, outcomes);
    int rc = before(self, &rule);
    if (rc < 0) {
        cf_append_none(writes, n,
                       rule.fault == CF_FAULT_FAIL ? CF_VERDICT_FAILED : CF_VERDICT_UNKNOWN,
                       outcomes);
        return rc;
    }
    rc = self->inner->ops->write(self->inner, writes, n, outcomes);
    if (after(self, &rule, start_us) == 0)
        return rc;
    cf_append_none(writes, n, CF_VERDICT_UNKNOWN, outcomes);
    return CF_EIO;
}

/* Every other call has the same shape: only its own code is lost. The rows of a lost read were
 * delivered, which the contract allows. */
#define WITH_FAULT(call, expression)                                                               \
    do {                                                                                           \
        faulty_t *self = (faulty_t *)base;                                                         \
        int64_t start_us = cf_boot_us();                                                           \
        rule_t rule = next_fault(self, call);                                                      \
        cf_store_t *inner = self->inner;                                                           \
        int rc = before(self, &rule);                                                              \
        if (rc == 0)                                                                               \
            rc = (expression);                                                                     \
        return rc == 0 ? after(self, &rule, start_us) : rc;                                        \
    } while (0)

static int faulty_settle(cf_store_t *base, const cf_run_t *runs, size_t n, cf_outcome_t *outcomes)
{
    WITH_FAULT(CF_CALL_SETTLE, inner->ops->settle(inner, runs, n, outcomes));
}

static int faulty_find_users(cf_store_t *base, const cf_user_key_t *keys, size_t n,
                             cf_user_row_fn *row, void *arg)
{
    WITH_FAULT(CF_CALL_FIND_USERS, inner->ops->find_users(inner, keys, n, row, arg));
}

static int faulty_find_sessions(cf_store_t *base, const uint8_t (*hashes)[CF_TOKEN_HASH_SIZE],
                                size_t n, cf_session_row_fn *row, void *arg)
{
    WITH_FAULT(CF_CALL_FIND_SESSIONS, inner->ops->find_sessions(inner, hashes, n, row, arg));
}

static int faulty_find_members(cf_store_t *base, const cf_member_key_t *keys, size_t n,
                               cf_member_row_fn *row, void *arg)
{
    WITH_FAULT(CF_CALL_FIND_MEMBERS, inner->ops->find_members(inner, keys, n, row, arg));
}

static int faulty_list_rooms(cf_store_t *base, const cf_id_t *from, uint32_t limit,
                             cf_room_row_fn *row, void *arg)
{
    WITH_FAULT(CF_CALL_LIST_ROOMS, inner->ops->list_rooms(inner, from, limit, row, arg));
}

static int faulty_read_posts(cf_store_t *base, const cf_posts_range_t *ranges, size_t n,
                             cf_post_row_fn *row, void *arg, cf_posts_found_t *found)
{
    WITH_FAULT(CF_CALL_READ_POSTS, inner->ops->read_posts(inner, ranges, n, row, arg, found));
}

static int faulty_list_dead_letters(cf_store_t *base, const cf_dead_letter_t *from, uint32_t limit,
                                    cf_dead_letter_row_fn *row, void *arg)
{
    WITH_FAULT(CF_CALL_LIST_DEAD_LETTERS,
               inner->ops->list_dead_letters(inner, from, limit, row, arg));
}

static int faulty_find_dead_letter(cf_store_t *base, cf_id_t id, cf_dead_letter_row_fn *row,
                                   void *arg)
{
    WITH_FAULT(CF_CALL_FIND_DEAD_LETTER, inner->ops->find_dead_letter(inner, id, row, arg));
}

static int faulty_ping(cf_store_t *base)
{
    WITH_FAULT(CF_CALL_PING, inner->ops->ping(inner));
}

static void faulty_close(cf_store_t *base)
{
    faulty_t *self = (faulty_t *)base;
    if (self->inner)
        self->inner->ops->close(self->inner);
    free(self->script_path);
    free(self);
}

static const cf_store_ops_t faulty_ops = {
    .name = "faulty",
    .write = faulty_write,
    .settle = faulty_settle,
    .find_users = faulty_find_users,
    .find_sessions = faulty_find_sessions,
    .find_members = faulty_find_members,
    .list_rooms = faulty_list_rooms,
    .read_posts = faulty_read_posts,
    .list_dead_letters = faulty_list_dead_letters,
    .find_dead_letter = faulty_find_dead_letter,
    .ping = faulty_ping,
    .close = faulty_close,
};

int cf_faulty_wrap(cf_store_t **out, cf_store_t *inner, const cf_store_config_t *config)
{
    faulty_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->base.ops = &faulty_ops;
    self->inner = inner;
    self->wait = config->wait;
    self->statement_ms = config->statement_ms;
    *out = &self->base;
    return 0;
}

void cf_faulty_set(cf_store_t *store, cf_call_t call, cf_fault_t fault, uint32_t skip,
                   uint32_t count, int late_ms)
{
    ((faulty_t *)store)->rules[call] =
        (rule_t){.fault = fault, .skip = skip, .count = count, .late_ms = late_ms};
}

int cf_faulty_open(cf_store_t **out, const cf_store_config_t *config)
{
    const char *file = config->url + strlen("faulty:");
    const char *colon = strchr(file, ':');
    if (!colon)
        return CF_ERANGE;
    cf_store_config_t inner_config = *config;
    inner_config.url = colon + 1;
    cf_store_t *inner, *store;
    int rc = cf_store_open(&inner, &inner_config);
    if (rc < 0)
        return rc;
    rc = cf_faulty_wrap(&store, inner, config);
    if (rc < 0) {
        inner->ops->close(inner);
        return rc;
    }
    ((faulty_t *)store)->script_path = strndup(file, (size_t)(colon - file));
    if (!((faulty_t *)store)->script_path) {
        store->ops->close(store);
        return CF_ENOMEM;
    }
    *out = store;
    return 0;
}
