/* ctl_letters.c: dead letters run again, some at a time. */
#include "ctl_state.h"

#include "control.h"
#include "err.h"
#include "json.h"
#include "store_choice.h"
#include "supervisor.h"
#include "wire/control.h"
#include "wire/operate.h"
#include "wire/room.h"

#include <stdio.h>

#define WINDOW 8 /* under way at once: the quote service is asked for so many at most */
#define PAGE 500 /* letters of one look into the store */

typedef struct {
    cf_ctl_t *ctl;
    cf_id_t under_way[WINDOW]; /* letters, by correlation id - 1; zero: an empty place */
    uint32_t waiting;
    uint64_t answered, not_answered;
    int rc; /* of the connection */
} run_t;

/* --- what came of one --------------------------------------------------------------------------
 */

static void print(run_t *run, cf_id_t letter, const char *result, cf_str_t reason)
{
    cf_buf_t *line = &run->ctl->out;
    cf_json_t json = {.out = line};
    cf_buf_clear(line);
    cf_json_object(&json);
    cf_json_key(&json, "id");
    cf_json_id(&json, letter);
    cf_json_key(&json, "result");
    cf_json_text(&json, result);
    if (reason.size) {
        cf_json_key(&json, "reason");
        cf_json_str(&json, reason.bytes, reason.size);
    }
    cf_json_object_end(&json);
    if (json.rc < 0)
        run->rc = json.rc;
    else
        printf("%.*s\n", (int)line->size, (const char *)line->data);
    fflush(stdout); /* one that takes long must not hide those before it */
}

static const char *refusal_text(int err)
{
    switch (err) {
    case CF_ENOENT:
        return "there is no such letter";
    case CF_EAGAIN:
        return "it is being run again already";
    case CF_ETIME:
        return "not answered in time";
    case CF_EFULL:
        return "too many commands are waiting";
    case CF_ECLOSING:
        return "the server is shutting down";
    case CF_EUNCONFIRMED:
        return "the bot has answered, but the letter could not be removed; run again it would "
               "answer "
               "once more";
    }
    return cf_err_text(err);
}

static int take(run_t *run, const cf_msg_t *msg)
{
    cf_refused_t refused = {0};
    cf_reran_t reran = {0};
    cf_id_t *letter = msg->corr >= 1 && msg->corr <= WINDOW ? &run->under_way[msg->corr - 1] : NULL;
    bool is_refused = msg->type == CF_MSG_REFUSED;
    cf_arena_reset(&run->ctl->arena);
    if (!letter || cf_id_is_zero(*letter))
        return is_refused && cf_msg_body(&refused, msg, &run->ctl->arena) == 0
                   ? -(int)refused.reason /* of the connection as such */
                   : CF_EPROTO;
    if (!is_refused && msg->type != CF_MSG_RERAN)
        return CF_EPROTO;
    int rc = is_refused ? cf_msg_body(&refused, msg, &run->ctl->arena)
                        : cf_msg_body(&reran, msg, &run->ctl->arena);
    if (rc < 0)
        return rc;
    if (is_refused)
        print(run, *letter, "refused", cf_str(refusal_text(-(int)refused.reason)));
    else
        print(run, *letter, reran.failure.size ? "failed" : "answered", reran.failure);
    run->answered += !is_refused && !reran.failure.size;
    run->not_answered += is_refused || reran.failure.size;
    *letter = (cf_id_t){0};
    run->waiting--;
    return 0;
}

/* --- all of them -------------------------------------------------------------------------------
 */

static const char not_asked[] = "the server was not asked";

static void await_one(run_t *run)
{
    cf_msg_t msg;
    int64_t wait_us = run->ctl->config->stock_deadline_ms * 1000 + CF_CONTROL_REPLAY_US;
    int rc = cf_ctl_await(run->ctl, &msg, wait_us);
    run->rc = rc < 0 ? rc : take(run, &msg);
}

static void begin_one(run_t *run, cf_id_t letter)
{
    while (run->rc == 0 && run->waiting == WINDOW)
        await_one(run);
    if (run->rc < 0)
        return;
    uint32_t at = 0;
    while (!cf_id_is_zero(run->under_way[at]))
        at++;
    int rc = cf_ctl_ask(run->ctl, CF_MSG_REPLAY, at + 1, &(cf_replay_t){letter});
    if (rc == 0) {
        run->under_way[at] = letter;
        run->waiting++;
        return;
    }
    /* it may have said why it closes; there is nothing behind that */
    while (run->rc == 0 && rc == CF_ECLOSING)
        await_one(run);
    run->rc = run->rc < 0 ? run->rc : rc;
    print(run, letter, "refused", cf_str(not_asked));
    run->not_answered++;
}

static int finish(run_t *run)
{
    while (run->rc == 0 && run->waiting)
        await_one(run);
    for (uint32_t at = 0; at < WINDOW; at++)
        if (!cf_id_is_zero(run->under_way[at])) {
            /* a connection that is one too many is refused as such, and not heard */
            if (run->rc == CF_EFULL)
                print(run, run->under_way[at], "refused", cf_str(not_asked));
            else
                print(run, run->under_way[at], "unknown", cf_str("the server has not said"));
            run->not_answered++;
        }
    if (run->answered + run->not_answered > 1)
        fprintf(stderr, "confab ctl: %llu answered, %llu not\n", (unsigned long long)run->answered,
                (unsigned long long)run->not_answered);
    if (run->rc < 0)
        return cf_ctl_failed("not all letters were run again", run->rc);
    return run->not_answered ? CF_EXIT_FAILURE : 0;
}

/* --- which -------------------------------------------------------------------------------------
 */

typedef struct {
    cf_id_t ids[PAGE];
    cf_dead_letter_t last; /* only its time and id count */
    uint32_t n;
} page_t;

static void add_to_page(void *arg, const cf_dead_letter_t *letter)
{
    page_t *page = arg;
    page->ids[page->n++] = letter->id;
    page->last = *letter;
}

/* As they stand in the store, oldest first; what fails again stays, and is passed by. */
static int replay_all(run_t *run)
{
    static page_t page; /* too much for a stack */
    char url[CF_STORE_URL_MAX];
    cf_store_t *store;
    int rc = cf_store_open_chosen(&store, url, run->ctl->config, CF_STORE_READER);
    if (rc < 0)
        return CF_EXIT_UNAVAILABLE;
    cf_dead_letter_t from;
    const cf_dead_letter_t *after = NULL;
    for (page.n = PAGE; rc == 0 && run->rc == 0 && page.n == PAGE; after = &from) {
        from = page.last;
        page.n = 0;
        rc = store->ops->list_dead_letters(store, after, PAGE, add_to_page, &page);
        for (uint32_t i = 0; rc == 0 && i < page.n; i++)
            begin_one(run, page.ids[i]);
    }
    store->ops->close(store);
    int code = finish(run);
    return rc < 0 ? cf_ctl_failed("cannot read the dead letters", rc) : code;
}

int cf_ctl_replay(cf_ctl_t *self, char **words, int n)
{
    run_t run = {.ctl = self};
    cf_id_t id;
    if (n == 1 && strcmp(words[0], "--all") == 0)
        return replay_all(&run);
    if (n == 0)
        return CF_CTL_USAGE;
    for (int i = 0; i < n; i++) /* all of them first, so that a slip begins nothing */
        if (cf_id_parse(&id, words[i], strlen(words[i])) < 0) {
            fprintf(stderr, "confab ctl: '%s' is no id of a letter\n", words[i]);
            return CF_CTL_USAGE;
        }
    for (int i = 0; i < n; i++) {
        cf_id_parse(&id, words[i], strlen(words[i]));
        begin_one(&run, id);
    }
    return finish(&run);
}
