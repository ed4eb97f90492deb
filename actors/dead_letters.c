#include "dead_letters.h"

#include "json.h"
#include "log.h"
#include "store.h"
#include "store_choice.h"
#include "supervisor.h"

#include <stdio.h>

#define PAGE 500

typedef struct {
    cf_buf_t line;
    cf_dead_letter_t last; /* only its time and id count */
    uint32_t n;
    int rc;
} printer_t;

static void write_str(cf_json_t *json, const char *key, cf_str_t text)
{
    cf_json_key(json, key);
    cf_json_str(json, text.bytes, text.size);
}

static void print(void *arg, const cf_dead_letter_t *letter)
{
    printer_t *self = arg;
    cf_json_t json = {.out = &self->line};
    cf_buf_clear(&self->line);
    cf_json_object(&json);
    cf_json_key(&json, "id");
    cf_json_id(&json, letter->id);
    cf_json_key(&json, "time");
    cf_json_time(&json, letter->at_us);
    cf_json_key(&json, "room");
    cf_json_id(&json, letter->room);
    write_str(&json, "command", letter->command);
    write_str(&json, "reason", letter->reason);
    cf_json_key(&json, "attempts");
    cf_json_uint(&json, letter->attempts);
    cf_json_object_end(&json);
    if (json.rc < 0)
        self->rc = json.rc;
    else
        printf("%.*s\n", (int)self->line.size, (const char *)self->line.data);
    self->last = *letter;
    self->n++;
}

static int print_all(cf_store_t *store)
{
    printer_t printer = {.n = PAGE};
    int rc = 0;
    for (const cf_dead_letter_t *after = NULL; rc == 0 && printer.n == PAGE;
         after = &printer.last) {
        printer.n = 0;
        rc = store->ops->list_dead_letters(store, after, PAGE, print, &printer);
        rc = rc < 0 ? rc : printer.rc;
    }
    cf_buf_free(&printer.line);
    return rc == 0 && fflush(stdout) != 0 ? CF_EIO : rc;
}

int cf_dead_letters_print(const cf_config_t *config, const char *file)
{
    char url[CF_STORE_URL_MAX];
    cf_store_t *store;
    (void)file;
    if (cf_store_open_chosen(&store, url, config, CF_STORE_READER) < 0)
        return CF_EXIT_UNAVAILABLE;
    int rc = print_all(store);
    store->ops->close(store);
    if (rc < 0)
        cf_log_error("cannot read the dead letters", CF_ERR(rc));
    return rc < 0 ? CF_EXIT_UNAVAILABLE : 0;
}
