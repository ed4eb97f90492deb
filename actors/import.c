#include "import.h"

#include "clock.h"
#include "dialects/rooms.h"
#include "err.h"
#include "store_choice.h"
#include "supervisor.h"
#include "token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 500
#define LINE_MAX_BYTES (CF_USERNAME_MAX + CF_TOKEN_MAX + 8)

typedef struct {
    char name[CF_USERNAME_MAX + 1];
    char email[CF_USERNAME_MAX + sizeof "@imported.invalid"];
} name_t;

typedef struct {
    cf_store_t *store;
    int64_t now_us, ttl_us;
    uint32_t n;                   /* users gathered */
    cf_write_t writes[2 * BATCH]; /* a user and its session, in turn */
    cf_outcome_t outcomes[2 * BATCH];
    name_t names[BATCH];
    unsigned imported, refused;
} import_t;

int cf_import_migrate(const cf_config_t *config, const char *file)
{
    cf_store_t *store;
    char url[CF_STORE_URL_MAX];
    (void)file;
    if (cf_store_open_chosen(&store, url, config, CF_STORE_WRITER) < 0)
        return CF_EXIT_UNAVAILABLE;
    store->ops->close(store);
    return 0;
}

static int write_batch(import_t *self)
{
    int rc = self->n ? self->store->ops->write(self->store, self->writes, 2 * (size_t)self->n,
                                               self->outcomes)
                     : 0;
    for (uint32_t i = 0; rc == 0 && i < 2 * self->n; i += 2) {
        if (self->outcomes[i].rc == 0)
            self->imported++;
        else
            self->refused++;
    }
    self->n = 0;
    return rc;
}

/* One `name token`; false: it is not well-formed. */
static bool gather(import_t *self, const char *line)
{
    char token[CF_TOKEN_MAX + 1];
    name_t *name = &self->names[self->n];
    if (sscanf(line, "%50[A-Za-z0-9_] %255s", name->name, token) != 2 ||
        strlen(name->name) < CF_USERNAME_MIN || cf_rooms_is_reserved_name(cf_str(name->name)))
        return false;
    strcpy(stpcpy(name->email, name->name), "@imported.invalid");
    cf_write_t *user = &self->writes[2 * self->n], *session = user + 1;
    *user = (cf_write_t){.kind = CF_WRITE_CREATE_USER,
                         .create_user = {.id = cf_id_new(self->now_us),
                                         .username = cf_str(name->name),
                                         .email = cf_str(name->email),
                                         .password_hash = cf_str(""),
                                         .created_us = self->now_us}};
    *session = (cf_write_t){.kind = CF_WRITE_ADD_SESSION,
                            .add_session = {.id = cf_id_new(self->now_us),
                                            .user = user->create_user.id,
                                            .created_us = self->now_us,
                                            .expires_us = self->now_us + self->ttl_us}};
    cf_token_hash(session->add_session.token_hash, cf_str(token));
    self->n++;
    return true;
}

static int import_lines(import_t *self, FILE *in)
{
    char line[LINE_MAX_BYTES];
    int rc = 0;
    while (rc == 0 && fgets(line, sizeof line, in)) {
        if (!gather(self, line))
            self->refused++;
        if (self->n == BATCH)
            rc = write_batch(self);
    }
    return rc == 0 ? write_batch(self) : rc;
}

int cf_import_sessions(const cf_config_t *config, const char *file)
{
    char url[CF_STORE_URL_MAX];
    FILE *in = fopen(file, "re");
    import_t *self = calloc(1, sizeof *self);
    int code = CF_EXIT_FAILURE;
    if (!in || !self) {
        fprintf(stderr, "cannot open '%s'\n", file);
        goto done;
    }
    self->now_us = cf_wall_us();
    self->ttl_us = config->auth_session_ttl_ms * 1000;
    if (cf_store_open_chosen(&self->store, url, config, CF_STORE_WRITER) < 0) {
        code = CF_EXIT_UNAVAILABLE;
        goto done;
    }
    int rc = import_lines(self, in);
    self->store->ops->close(self->store);
    printf("%u users imported, %u refused\n", self->imported, self->refused);
    code = rc < 0 ? CF_EXIT_UNAVAILABLE : self->refused ? CF_EXIT_FAILURE : 0;
done:
    if (in)
        fclose(in);
    free(self);
    return code;
}
