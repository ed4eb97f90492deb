#include "seed.h"

#include "clock.h"
#include "err.h"
#include "log.h"
#include "store_choice.h"
#include "supervisor.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define PASSWORD "strange!"
#define MINUTE_US INT64_C(60000000)
#define POSTS_MAX 4 /* of one room */

enum { DANIEL, BOB, CHARLIE, DIANA, EVE, USERS };
static const struct {
    const char *name, *email;
} users[USERS] = {
    [DANIEL] = {"daniel", "daniel@test.com"},
    [BOB] = {"bob", "bob@test.com"},
    [CHARLIE] = {"charlie", "charlie@test.com"},
    [DIANA] = {"diana", "diana@test.com"},
    [EVE] = {"eve", "eve@test.com"},
};

#define BIT(user) (1u << (user))
#define EVERYBODY (BIT(USERS) - 1)

/* Oldest first. */
static const struct {
    const char *name;
    uint8_t id; /* every byte of it */
    int creator;
    unsigned members;
    struct {
        int minutes_old, sender;
        const char *text;
    } posts[POSTS_MAX];
} rooms[] = {
    {"General",
     0xaa,
     DANIEL,
     EVERYBODY,
     {{5, DANIEL, "Welcome to General, everybody!"},
      {4, BOB, "Hello! \xF0\x9F\x91\x8B"},
      {3, CHARLIE, "Does anybody follow the market? Try /stock=AAPL.US here."},
      {2, DIANA, "I will, as soon as it opens."}}},
    {"Random",
     0xbb,
     BOB,
     BIT(DANIEL) | BIT(BOB) | BIT(CHARLIE),
     {{10, BOB, "This room is for everything else."}, {8, CHARLIE, "Such as lunch?"}}},
    {"Tech Talk",
     0xcc,
     CHARLIE,
     BIT(DANIEL) | BIT(CHARLIE) | BIT(DIANA),
     {{15, CHARLIE, "What is everybody building these days?"}, {12, DIANA, "A chat, what else."}}},
};
#define ROOMS (sizeof rooms / sizeof rooms[0])

/* 11111111-1111-... for the first user. */
static cf_id_t user_id(int user)
{
    cf_id_t id;
    memset(id.bytes, 0x11 * (user + 1), sizeof id.bytes);
    return id;
}

static cf_id_t room_id(size_t room)
{
    cf_id_t id;
    memset(id.bytes, rooms[room].id, sizeof id.bytes);
    return id;
}

/* Carries out writes of which each may have been done before. */
static int write_all(cf_store_t *store, const cf_write_t *writes, size_t n, cf_outcome_t *outcomes)
{
    int rc = store->ops->write(store, writes, n, outcomes);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (outcomes[i].rc < 0 && outcomes[i].rc != CF_EEXIST)
            rc = outcomes[i].rc;
    return rc;
}

static int add_users(cf_store_t *store, const cf_config_t *config, int64_t now_us)
{
    cf_write_t writes[USERS];
    cf_outcome_t outcomes[USERS];
    char hash[crypto_pwhash_STRBYTES];
    if (crypto_pwhash_str_alg(
            hash, PASSWORD, strlen(PASSWORD), (unsigned long long)config->auth_argon2_passes,
            (size_t)config->auth_argon2_memory_kib << 10, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return CF_ENOMEM;
    for (int i = 0; i < USERS; i++)
        writes[i] = (cf_write_t){.kind = CF_WRITE_CREATE_USER,
                                 .create_user = {.id = user_id(i),
                                                 .username = cf_str(users[i].name),
                                                 .email = cf_str(users[i].email),
                                                 .password_hash = cf_str(hash),
                                                 .created_us = now_us}};
    return write_all(store, writes, USERS, outcomes);
}

static int add_rooms(cf_store_t *store, int64_t now_us)
{
    cf_write_t writes[ROOMS * (1 + USERS)];
    cf_outcome_t outcomes[ROOMS * (1 + USERS)];
    size_t n = 0;
    for (size_t i = 0; i < ROOMS; i++) {
        writes[n++] = (cf_write_t){.kind = CF_WRITE_CREATE_ROOM,
                                   .create_room = {.id = room_id(i),
                                                   .name = cf_str(rooms[i].name),
                                                   .creator = user_id(rooms[i].creator),
                                                   .created_us = now_us}};
        for (int user = 0; user < USERS; user++)
            if (rooms[i].members & BIT(user))
                writes[n++] = (cf_write_t){.kind = CF_WRITE_ADD_MEMBER,
                                           .member = {room_id(i), user_id(user), now_us}};
    }
    return write_all(store, writes, n, outcomes);
}

static void see_post(void *arg, size_t key, const cf_post_t *post)
{
    (void)key, (void)post;
    *(bool *)arg = true;
}

/* 1, 0 or an error. */
static int has_posts(cf_store_t *store, cf_id_t room)
{
    cf_posts_range_t newest = {.room = room, .from = CF_POSTS_NEWEST, .limit = 1};
    bool any = false;
    int rc = store->ops->read_posts(store, &newest, 1, see_post, &any, NULL);
    return rc < 0 ? rc : any;
}

static int add_posts(cf_store_t *store, size_t room, int64_t now_us)
{
    cf_post_t posts[POSTS_MAX];
    cf_outcome_t outcome;
    cf_write_t activate = {.kind = CF_WRITE_ACTIVATE, .activate.room = room_id(room)};
    int rc = has_posts(store, activate.activate.room);
    if (rc != 0)
        return rc < 0 ? rc : 0; /* people have been here, or we were */
    rc = write_all(store, &activate, 1, &outcome);
    if (rc < 0)
        return rc;
    cf_write_t append = {.kind = CF_WRITE_APPEND,
                         .append = {room_id(room), outcome.room.epoch, 0, posts, 0}};
    for (uint32_t i = 0; i < POSTS_MAX && rooms[room].posts[i].text; i++) {
        int64_t at_us = now_us - rooms[room].posts[i].minutes_old * MINUTE_US;
        posts[i] = (cf_post_t){.seq = i + 1,
                               .id = cf_id_new(at_us),
                               .sender = user_id(rooms[room].posts[i].sender),
                               .at_us = at_us,
                               .kind = CF_POST_TEXT,
                               .text = cf_str(rooms[room].posts[i].text)};
        append.append.n++;
    }
    rc = write_all(store, &append, 1, &outcome);
    return rc < 0 ? rc : outcome.status == CF_VERDICT_STORED ? 0 : CF_ECONFLICT;
}

int cf_seed(const cf_config_t *config, const char *file)
{
    cf_store_t *store;
    char url[CF_STORE_URL_MAX];
    int64_t now_us = cf_wall_us();
    (void)file;
    if (strcmp(config->node_environment, "production") == 0) {
        fputs("confab seed: not in production; everybody knows the users' password\n", stderr);
        return CF_EXIT_CONFIG;
    }
    if (cf_store_open_chosen(&store, url, config, CF_STORE_WRITER) < 0)
        return CF_EXIT_UNAVAILABLE;
    int rc = add_users(store, config, now_us);
    if (rc == 0)
        rc = add_rooms(store, now_us);
    for (size_t i = 0; rc == 0 && i < ROOMS; i++)
        rc = add_posts(store, i, now_us);
    store->ops->close(store);
    if (rc < 0)
        cf_log_error("cannot write the demonstration data", CF_ERR(rc));
    else
        puts("five users (password " PASSWORD "), three rooms, eight messages");
    return rc < 0 ? CF_EXIT_UNAVAILABLE : 0;
}
