/* The in-memory twin: it stands in for a database server in tests and benchmarks. So a store is a
 * connection to a named database that is shared by the whole process, outlives its connections and
 * has a lock of its own, as a server has. Nothing of it survives the process.
 *
 * Rows are bounded by ROWS_MAX; past it writes fail as on a full disk. Where uthash cannot get
 * memory for a table it aborts. */
#include "append.h"
#include "bounds.h"
#include "store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define uthash_fatal(message) abort()
#include <uthash.h>

#define ROWS_MAX 4000000

typedef struct {
    cf_user_t row;
    char username[CF_USERNAME_MAX];
    char email[CF_EMAIL_MAX];
    char password_hash[CF_PASSWORD_HASH_MAX];
    bool is_disabled;
    UT_hash_handle hh, by_name, by_email;
} user_t;

typedef struct {
    cf_session_t row;
    UT_hash_handle hh; /* by token hash */
} session_t;

typedef struct {
    cf_post_t row;     /* text points behind the struct; username and client key are empty */
    UT_hash_handle hh; /* by id, within the room */
    char text[];
} post_t;

typedef struct {
    cf_room_row_t row;
    char name[CF_ROOM_NAME_MAX];
    post_t **posts; /* posts[seq - 1] */
    uint64_t gone;  /* so many of the first have expired */
    size_t posts_cap;
    post_t *posts_by_id;
    UT_hash_handle hh; /* by id */
} room_t;

typedef struct {
    cf_member_key_t key;
    UT_hash_handle hh;
} member_t;

typedef struct {
    cf_id_t room, sender;
    char client_key[CF_CLIENT_KEY_MAX]; /* the rest zero */
} key_name_t;

typedef struct {
    key_name_t name;
    cf_append_key_t kept;
    UT_hash_handle hh;
} post_key_t;

typedef struct {
    cf_dead_letter_t row;
    char command[CF_DEAD_COMMAND_MAX];
    char reason[CF_DEAD_REASON_MAX];
    UT_hash_handle hh; /* by id */
} dead_letter_t;

typedef struct database database_t;
struct database {
    char name[64];
    pthread_mutex_t lock;
    size_t rows;
    user_t *users, *users_by_name, *users_by_email;
    session_t *sessions;
    room_t *rooms;
    member_t *members;
    post_key_t *keys;
    dead_letter_t *dead_letters;
    database_t *next;
};

typedef struct {
    cf_store_t base;
    cf_store_config_t config;
    database_t *db;
} memory_t;

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static database_t *registry;

static cf_str_t keep_text(char *to, cf_str_t text)
{
    if (text.size)
        memcpy(to, text.bytes, text.size);
    return (cf_str_t){to, text.size};
}

static void *new_row(database_t *db, size_t size)
{
    void *row = db->rows < ROWS_MAX ? calloc(1, size) : NULL;
    if (row)
        db->rows++;
    return row;
}

static void free_row(database_t *db, void *row)
{
    free(row);
    db->rows--;
}

static user_t *get_user(database_t *db, const cf_id_t *id)
{
    user_t *user;
    HASH_FIND(hh, db->users, id, sizeof *id, user);
    return user;
}

static user_t *get_user_by_name(database_t *db, cf_str_t name)
{
    user_t *user;
    HASH_FIND(by_name, db->users_by_name, name.bytes, name.size, user);
    return user;
}

static user_t *put_user(database_t *db, const cf_user_t *row)
{
    user_t *user = new_row(db, sizeof *user);
    if (!user)
        return NULL;
    user->row = *row;
    user->row.username = keep_text(user->username, row->username);
    user->row.email = keep_text(user->email, row->email);
    user->row.password_hash = keep_text(user->password_hash, row->password_hash);
    HASH_ADD(hh, db->users, row.id, sizeof user->row.id, user);
    HASH_ADD_KEYPTR(by_name, db->users_by_name, user->username, user->row.username.size, user);
    HASH_ADD_KEYPTR(by_email, db->users_by_email, user->email, user->row.email.size, user);
    return user;
}

/* As the migrations of the other backends leave it. */
static database_t *new_database(const char *name)
{
    cf_user_t bot = {
        .id = CF_BOT_ID, .username = cf_str(CF_BOT_USERNAME), .email = cf_str(CF_BOT_EMAIL)};
    database_t *db = calloc(1, sizeof *db);
    if (!db || !put_user(db, &bot)) {
        free(db);
        return NULL;
    }
    strncpy(db->name, name, sizeof db->name - 1);
    pthread_mutex_init(&db->lock, NULL);
    db->next = registry;
    registry = db;
    return db;
}

static database_t *find_database(const char *name)
{
    pthread_mutex_lock(&registry_lock);
    database_t *db = registry;
    while (db && strncmp(db->name, name, sizeof db->name - 1) != 0)
        db = db->next;
    if (!db)
        db = new_database(name);
    pthread_mutex_unlock(&registry_lock);
    return db;
}

static room_t *get_room(database_t *db, const cf_id_t *id)
{
    room_t *room;
    HASH_FIND(hh, db->rooms, id, sizeof *id, room);
    return room;
}

static member_t *get_member(database_t *db, const cf_id_t *room, const cf_id_t *user)
{
    cf_member_key_t key = {*room, *user};
    member_t *member;
    HASH_FIND(hh, db->members, &key, sizeof key, member);
    return member;
}

/* --- appends -----------------------------------------------------------------------------------
 */

static key_name_t key_name(const cf_run_t *run, const cf_post_t *row)
{
    key_name_t name;
    memset(&name, 0, sizeof name);
    name.room = run->room;
    name.sender = row->sender;
    keep_text(name.client_key, row->client_key);
    return name;
}

static int find_key(void *arg, const cf_run_t *run, const cf_post_t *row, cf_append_key_t *out)
{
    key_name_t name = key_name(run, row);
    post_key_t *key;
    HASH_FIND(hh, ((database_t *)arg)->keys, &name, sizeof name, key);
    if (key)
        *out = key->kept;
    return key != NULL;
}

static int put_key(database_t *db, const cf_run_t *run, const cf_post_t *row)
{
    key_name_t name = key_name(run, row);
    post_key_t *key;
    HASH_FIND(hh, db->keys, &name, sizeof name, key);
    if (!key) {
        key = new_row(db, sizeof *key);
        if (!key)
            return CF_EIO;
        key->name = name;
        HASH_ADD(hh, db->keys, name, sizeof key->name, key);
    }
    key->kept = (cf_append_key_t){.seq = row->seq, .id = row->id, .at_us = row->at_us};
    memcpy(key->kept.body_hash, row->body_hash, CF_BODY_HASH_SIZE);
    return 0;
}

static int put_post(database_t *db, room_t *room, const cf_post_t *row)
{
    if (row->seq > room->posts_cap) {
        size_t cap = room->posts_cap ? room->posts_cap * 2 : 64;
        post_t **posts = realloc(room->posts, cap * sizeof *posts);
        if (!posts)
            return CF_EIO;
        room->posts = posts;
        room->posts_cap = cap;
    }
    post_t *post = new_row(db, sizeof *post + row->text.size);
    if (!post)
        return CF_EIO;
    post->row = *row;
    post->row.text = keep_text(post->text, row->text);
    post->row.username = post->row.client_key = (cf_str_t){0};
    memset(post->row.body_hash, 0, CF_BODY_HASH_SIZE);
    HASH_ADD(hh, room->posts_by_id, row.id, sizeof post->row.id, post);
    room->posts[row->seq - 1] = post;
    return 0;
}

static int take_row(void *arg, const cf_run_t *run, const cf_post_t *row)
{
    database_t *db = arg;
    room_t *room = get_room(db, &run->room);
    post_t *same;
    HASH_FIND(hh, room->posts_by_id, &row->id, sizeof row->id, same);
    if (same)
        return CF_ERANGE;
    int rc = row->client_key.size ? put_key(db, run, row) : 0;
    if (rc == 0)
        rc = put_post(db, room, row);
    if (rc == 0) {
        room->row.last_seq = row->seq;
        room->row.last_us = row->at_us;
    }
    return rc;
}

static cf_append_room_t append_room(database_t *db, const cf_id_t *id)
{
    const room_t *room = get_room(db, id);
    cf_append_room_t out = {.id = *id, .exists = room != NULL};
    if (room) {
        out.ephemeral = room->row.ephemeral;
        out.epoch = room->row.epoch;
        out.last_seq = room->row.last_seq;
        out.last_us = room->row.last_us;
    }
    return out;
}

static int on_append(memory_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    static const cf_append_ops_t ops = {find_key, take_row};
    cf_append_room_t room = append_room(self->db, &write->append.room);
    return cf_append_run(&room, &write->append, self->config.key_ttl_us, &ops, self->db, out);
}

/* --- the other writes: 0 with out->rc set, or CF_EIO when the database is full
 * ------------------------ */

static int on_activate(memory_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    room_t *room = get_room(self->db, &write->activate.room);
    if (!room) {
        out->rc = CF_ENOENT;
        return 0;
    }
    room->row.epoch++;
    out->room = room->row;
    out->room.name = (cf_str_t){0};
    return 0;
}

static int on_create_user(memory_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    database_t *db = self->db;
    const cf_user_t *wanted = &write->create_user;
    user_t *by_id = get_user(db, &wanted->id), *by_email;
    HASH_FIND(by_email, db->users_by_email, wanted->email.bytes, wanted->email.size, by_email);
    if (by_id || by_email || get_user_by_name(db, wanted->username)) {
        bool repeat = by_id && cf_str_equal(by_id->row.username, wanted->username);
        out->rc = repeat ? 0 : CF_EEXIST;
        return 0;
    }
    return put_user(db, wanted) ? 0 : CF_EIO;
}

static int on_set_password(memory_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    user_t *user = get_user(self->db, &write->set_password.user);
    if (user)
        user->row.password_hash = keep_text(user->password_hash, write->set_password.password_hash);
    else
        out->rc = CF_ENOENT;
    return 0;
}

static int on_disable_user(memory_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    user_t *user = get_user(self->db, &write->disable_user.user);
    session_t *session = NULL, *next = NULL;
    if (!user) {
        out->rc = CF_ENOENT;
        return 0;
    }
    user->is_disabled = true;
    HASH_ITER(hh, self->db->sessions, session, next)
    {
        if (!cf_id_equal(session->row.user, user->row.id))
            continue;
        HASH_DELETE(hh, self->db->sessions, session);
        free_row(self->db, session);
    }
    return 0;
}

static int on_enable_user(memory_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    user_t *user = get_user(self->db, &write->enable_user);
    if (user)
        user->is_disabled = false;
    else
        out->rc = CF_ENOENT;
    return 0;
}

static int on_add_session(memory_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    const cf_session_t *wanted = &write->add_session;
    session_t *session;
    HASH_FIND(hh, self->db->sessions, wanted->token_hash, CF_TOKEN_HASH_SIZE, session);
    const user_t *user = get_user(self->db, &wanted->user);
    if (session || !user || user->is_disabled) {
        bool repeat = session && cf_id_equal(session->row.id, wanted->id);
        out->rc = repeat ? 0 : session ? CF_EEXIST : user ? CF_EPERM : CF_ENOENT;
        return 0;
    }
    session = new_row(self->db, sizeof *session);
    if (!session)
        return CF_EIO;
    session->row = *wanted;
    HASH_ADD(hh, self->db->sessions, row.token_hash, CF_TOKEN_HASH_SIZE, session);
    return 0;
}

static int on_remove_session(memory_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    (void)out;
    session_t *session;
    HASH_FIND(hh, self->db->sessions, write->remove_session, CF_TOKEN_HASH_SIZE, session);
    if (session) {
        HASH_DELETE(hh, self->db->sessions, session);
        free_row(self->db, session);
    }
    return 0;
}

static int put_member(database_t *db, const cf_id_t *room, const cf_id_t *user)
{
    if (get_member(db, room, user))
        return 0;
    member_t *member = new_row(db, sizeof *member);
    if (!member)
        return CF_EIO;
    member->key = (cf_member_key_t){*room, *user};
    HASH_ADD(hh, db->members, key, sizeof member->key, member);
    return 0;
}

static int on_create_room(memory_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    const cf_room_row_t *wanted = &write->create_room;
    if (get_room(self->db, &wanted->id))
        return 0; /* only the id is unique, so this is a repeat */
    if (!get_user(self->db, &wanted->creator)) {
        out->rc = CF_ENOENT;
        return 0;
    }
    room_t *room = new_row(self->db, sizeof *room);
    if (!room)
        return CF_EIO;
    room->row = (cf_room_row_t){.id = wanted->id,
                                .name = keep_text(room->name, wanted->name),
                                .creator = wanted->creator,
                                .created_us = wanted->created_us,
                                .ephemeral = wanted->ephemeral};
    HASH_ADD(hh, self->db->rooms, row.id, sizeof room->row.id, room);
    return put_member(self->db, &wanted->id, &wanted->creator);
}

static int on_add_member(memory_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    if (get_room(self->db, &write->member.room) && get_user(self->db, &write->member.user))
        return put_member(self->db, &write->member.room, &write->member.user);
    out->rc = CF_ENOENT;
    return 0;
}

static int on_remove_member(memory_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    (void)out;
    member_t *member = get_member(self->db, &write->member.room, &write->member.user);
    if (member) {
        HASH_DELETE(hh, self->db->members, member);
        free_row(self->db, member);
    }
    return 0;
}

static int on_expire_sessions(memory_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    session_t *session = NULL, *next = NULL;
    HASH_ITER(hh, self->db->sessions, session, next)
    {
        if (session->row.expires_us > write->expire.until_us || out->stored >= write->expire.limit)
            continue;
        HASH_DELETE(hh, self->db->sessions, session);
        free_row(self->db, session);
        out->stored++;
    }
    return 0;
}

static int on_expire_keys(memory_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    post_key_t *key = NULL, *next = NULL;
    HASH_ITER(hh, self->db->keys, key, next)
    {
        if (key->kept.at_us > write->expire.until_us || out->stored >= write->expire.limit)
            continue;
        HASH_DELETE(hh, self->db->keys, key);
        free_row(self->db, key);
        out->stored++;
    }
    return 0;
}

static int on_dead_letter(memory_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    const cf_dead_letter_t *wanted = &write->dead_letter;
    dead_letter_t *letter;
    (void)out;
    HASH_FIND(hh, self->db->dead_letters, &wanted->id, sizeof wanted->id, letter);
    if (letter)
        return 0; /* a repeat */
    letter = new_row(self->db, sizeof *letter);
    if (!letter)
        return CF_EIO;
    letter->row = *wanted;
    letter->row.command = keep_text(letter->command, wanted->command);
    letter->row.reason = keep_text(letter->reason, wanted->reason);
    HASH_ADD(hh, self->db->dead_letters, row.id, sizeof letter->row.id, letter);
    return 0;
}

static int on_remove_dead_letter(memory_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    const cf_id_t *id = &write->remove_dead_letter;
    dead_letter_t *letter;
    (void)out;
    HASH_FIND(hh, self->db->dead_letters, id, sizeof *id, letter);
    if (!letter)
        return 0;
    HASH_DELETE(hh, self->db->dead_letters, letter);
    free_row(self->db, letter);
    return 0;
}

static int on_expire_dead_letters(memory_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    dead_letter_t *letter = NULL, *next = NULL;
    HASH_ITER(hh, self->db->dead_letters, letter, next)
    {
        if (letter->row.at_us > write->expire.until_us || out->stored >= write->expire.limit)
            continue;
        HASH_DELETE(hh, self->db->dead_letters, letter);
        free_row(self->db, letter);
        out->stored++;
    }
    return 0;
}

static int on_expire_posts(memory_t *self, const cf_write_t *write, cf_outcome_t *out)
{
    room_t *room = NULL, *next = NULL;
    HASH_ITER(hh, self->db->rooms, room, next)
    {
        while (room->gone < room->row.last_seq && out->stored < write->expire.limit &&
               room->posts[room->gone]->row.at_us <= write->expire.until_us) {
            post_t *post = room->posts[room->gone];
            room->posts[room->gone++] = NULL;
            HASH_DELETE(hh, room->posts_by_id, post);
            free_row(self->db, post);
            out->stored++;
        }
    }
    return 0;
}

static int (*const on_write[])(memory_t *self, const cf_write_t *write, cf_outcome_t *out) = {
    [CF_WRITE_APPEND] = on_append,
    [CF_WRITE_ACTIVATE] = on_activate,
    [CF_WRITE_CREATE_USER] = on_create_user,
    [CF_WRITE_SET_PASSWORD] = on_set_password,
    [CF_WRITE_DISABLE_USER] = on_disable_user,
    [CF_WRITE_ENABLE_USER] = on_enable_user,
    [CF_WRITE_ADD_SESSION] = on_add_session,
    [CF_WRITE_REMOVE_SESSION] = on_remove_session,
    [CF_WRITE_CREATE_ROOM] = on_create_room,
    [CF_WRITE_ADD_MEMBER] = on_add_member,
    [CF_WRITE_REMOVE_MEMBER] = on_remove_member,
    [CF_WRITE_EXPIRE_SESSIONS] = on_expire_sessions,
    [CF_WRITE_EXPIRE_KEYS] = on_expire_keys,
    [CF_WRITE_DEAD_LETTER] = on_dead_letter,
    [CF_WRITE_REMOVE_DEAD_LETTER] = on_remove_dead_letter,
    [CF_WRITE_EXPIRE_DEAD_LETTERS] = on_expire_dead_letters,
    [CF_WRITE_EXPIRE_POSTS] = on_expire_posts,
};

/* There is no rollback here: what was written before the database was full stays, and settle()
 * tells. */
static int memory_write(cf_store_t *base, const cf_write_t *writes, size_t n,
                        cf_outcome_t *outcomes)
{
    memory_t *self = (memory_t *)base;
    int rc = 0;
    pthread_mutex_lock(&self->db->lock);
    for (size_t i = 0; i < n; i++) {
        memset(&outcomes[i], 0, sizeof outcomes[i]);
        outcomes[i].rc = cf_bounds_write(&writes[i]);
        if (outcomes[i].rc < 0 || on_write[writes[i].kind](self, &writes[i], &outcomes[i]) == 0)
            continue;
        cf_append_none(&writes[i], 1, CF_VERDICT_UNKNOWN, &outcomes[i]);
        rc = CF_EIO;
    }
    pthread_mutex_unlock(&self->db->lock);
    return rc;
}

/* --- reads -------------------------------------------------------------------------------------
 */

static int memory_settle(cf_store_t *base, const cf_run_t *runs, size_t n, cf_outcome_t *outcomes)
{
    database_t *db = ((memory_t *)base)->db;
    pthread_mutex_lock(&db->lock);
    for (size_t i = 0; i < n; i++) {
        cf_append_room_t row = append_room(db, &runs[i].room);
        const room_t *room = get_room(db, &runs[i].room);
        uint32_t written = 0;
        while (written < runs[i].n && runs[i].rows[written].seq <= row.last_seq &&
               runs[i].rows[written].seq > room->gone &&
               cf_id_equal(room->posts[runs[i].rows[written].seq - 1]->row.id,
                           runs[i].rows[written].id))
            written++;
        outcomes[i] = cf_append_settle(&row, &runs[i], written);
    }
    pthread_mutex_unlock(&db->lock);
    return 0;
}

/* As a query delivers it. */
static cf_user_t user_row(const user_t *user)
{
    cf_user_t row = user->row;
    if (user->is_disabled)
        row.password_hash = (cf_str_t){"", 0};
    return row;
}

static int memory_find_users(cf_store_t *base, const cf_user_key_t *keys, size_t n,
                             cf_user_row_fn *row, void *arg)
{
    database_t *db = ((memory_t *)base)->db;
    pthread_mutex_lock(&db->lock);
    for (size_t i = 0; i < n; i++) {
        const user_t *user = keys[i].by == CF_USER_BY_ID ? get_user(db, &keys[i].id)
                                                         : get_user_by_name(db, keys[i].name);
        if (user) {
            cf_user_t found = user_row(user);
            row(arg, i, &found);
        }
    }
    pthread_mutex_unlock(&db->lock);
    return 0;
}

static int memory_find_sessions(cf_store_t *base, const uint8_t (*hashes)[CF_TOKEN_HASH_SIZE],
                                size_t n, cf_session_row_fn *row, void *arg)
{
    database_t *db = ((memory_t *)base)->db;
    pthread_mutex_lock(&db->lock);
    for (size_t i = 0; i < n; i++) {
        session_t *session;
        HASH_FIND(hh, db->sessions, hashes[i], CF_TOKEN_HASH_SIZE, session);
        if (session)
            row(arg, i, &session->row, &get_user(db, &session->row.user)->row);
    }
    pthread_mutex_unlock(&db->lock);
    return 0;
}

static int memory_find_members(cf_store_t *base, const cf_member_key_t *keys, size_t n,
                               cf_member_row_fn *row, void *arg)
{
    database_t *db = ((memory_t *)base)->db;
    pthread_mutex_lock(&db->lock);
    for (size_t i = 0; i < n; i++)
        row(arg, i, get_room(db, &keys[i].room) != NULL,
            get_member(db, &keys[i].room, &keys[i].user) != NULL);
    pthread_mutex_unlock(&db->lock);
    return 0;
}

static int newest_first(const void *a, const void *b)
{
    const cf_room_row_t *left = &(*(room_t *const *)a)->row, *right = &(*(room_t *const *)b)->row;
    if (left->created_us != right->created_us)
        return left->created_us < right->created_us ? 1 : -1;
    return cf_id_compare(right->id, left->id);
}

static int memory_list_rooms(cf_store_t *base, const cf_id_t *after, uint32_t limit,
                             cf_room_row_fn *row, void *arg)
{
    database_t *db = ((memory_t *)base)->db;
    pthread_mutex_lock(&db->lock);
    room_t *start = after ? get_room(db, after) : NULL, *room, *next;
    size_t count = HASH_COUNT(db->rooms), n = 0;
    room_t **rooms = calloc(count + 1, sizeof(room_t *));
    if (rooms && (start || !after)) {
        HASH_ITER(hh, db->rooms, room, next)
        {
            if (!start || newest_first(&start, &room) < 0)
                rooms[n++] = room;
        }
        qsort(rooms, n, sizeof(room_t *), newest_first);
        for (size_t i = 0; i < n && i < limit; i++)
            row(arg, &rooms[i]->row);
    }
    pthread_mutex_unlock(&db->lock);
    free(rooms);
    return rooms ? 0 : CF_ENOMEM;
}

/* The posts of a range as seqs first..last, expired ones among them; false if it names an unknown
 * post. */
static bool resolve_range(const room_t *room, const cf_posts_range_t *range, uint64_t *first,
                          uint64_t *last)
{
    uint64_t newest = room ? room->row.last_seq : 0;
    const post_t *post = NULL;
    *first = 1;
    *last = newest;
    switch (range->from) {
    case CF_POSTS_NEWEST:
        break;
    case CF_POSTS_BEFORE_SEQ:
        if (range->at <= 1)
            *last = 0;
        else if ((uint64_t)range->at - 1 < newest)
            *last = (uint64_t)range->at - 1;
        break;
    case CF_POSTS_BEFORE_TIME:
        while (room && *last > room->gone && room->posts[*last - 1]->row.at_us >= range->at)
            --*last;
        break;
    case CF_POSTS_BEFORE_ID:
        if (room)
            HASH_FIND(hh, room->posts_by_id, &range->id, sizeof range->id, post);
        if (!post)
            return false;
        *last = post->row.seq - 1;
        break;
    case CF_POSTS_AFTER_SEQ:
        *first = range->at < 0 ? 1 : (uint64_t)range->at + 1;
        if (room && *first <= room->gone)
            *first = room->gone + 1;
        if (*first <= newest && newest - *first + 1 > range->limit)
            *last = *first + range->limit - 1;
        return true;
    }
    if (*last > range->limit)
        *first = *last - range->limit + 1;
    return true;
}

static int memory_read_posts(cf_store_t *base, const cf_posts_range_t *ranges, size_t n,
                             cf_post_row_fn *row, void *arg, cf_posts_found_t *found)
{
    database_t *db = ((memory_t *)base)->db;
    pthread_mutex_lock(&db->lock);
    for (size_t i = 0; i < n; i++) {
        const room_t *room = get_room(db, &ranges[i].room);
        uint64_t first, last;
        bool known = resolve_range(room, &ranges[i], &first, &last);
        if (found)
            found[i] = known ? CF_POSTS_FOUND : CF_POSTS_NONE;
        for (uint64_t seq = first; known && seq <= last; seq++) {
            if (seq <= room->gone)
                continue;
            cf_post_t post = room->posts[seq - 1]->row;
            const user_t *sender = get_user(db, &post.sender);
            post.username = sender ? sender->row.username : (cf_str_t){"", 0};
            row(arg, i, &post);
        }
    }
    pthread_mutex_unlock(&db->lock);
    return 0;
}

static int oldest_first(const void *a, const void *b)
{
    const cf_dead_letter_t *left = &(*(dead_letter_t *const *)a)->row,
                           *right = &(*(dead_letter_t *const *)b)->row;
    if (left->at_us != right->at_us)
        return left->at_us < right->at_us ? -1 : 1;
    return cf_id_compare(left->id, right->id);
}

static int memory_list_dead_letters(cf_store_t *base, const cf_dead_letter_t *after, uint32_t limit,
                                    cf_dead_letter_row_fn *row, void *arg)
{
    database_t *db = ((memory_t *)base)->db;
    pthread_mutex_lock(&db->lock);
    dead_letter_t start, *from = &start, *letter, *next;
    size_t count = HASH_COUNT(db->dead_letters), n = 0;
    dead_letter_t **letters = calloc(count + 1, sizeof(dead_letter_t *));
    if (after)
        start.row = *after;
    HASH_ITER(hh, db->dead_letters, letter, next)
    {
        if (letters && (!after || oldest_first(&from, &letter) < 0))
            letters[n++] = letter;
    }
    if (n > 0)
        qsort(letters, n, sizeof(dead_letter_t *), oldest_first);
    for (size_t i = 0; i < n && i < limit; i++)
        row(arg, &letters[i]->row);
    pthread_mutex_unlock(&db->lock);
    free(letters);
    return letters ? 0 : CF_ENOMEM;
}

static int memory_find_dead_letter(cf_store_t *base, cf_id_t id, cf_dead_letter_row_fn *row,
                                   void *arg)
{
    database_t *db = ((memory_t *)base)->db;
    dead_letter_t *letter;
    pthread_mutex_lock(&db->lock);
    HASH_FIND(hh, db->dead_letters, &id, sizeof id, letter);
    if (letter)
        row(arg, &letter->row);
    pthread_mutex_unlock(&db->lock);
    return 0;
}

/* --- life --------------------------------------------------------------------------------------
 */

static int memory_ping(cf_store_t *base)
{
    (void)base;
    return 0;
}

static void memory_close(cf_store_t *base)
{
    free(base);
}

static const cf_store_ops_t memory_ops = {
    .name = "memory",
    .write = memory_write,
    .settle = memory_settle,
    .find_users = memory_find_users,
    .find_sessions = memory_find_sessions,
    .find_members = memory_find_members,
    .list_rooms = memory_list_rooms,
    .read_posts = memory_read_posts,
    .list_dead_letters = memory_list_dead_letters,
    .find_dead_letter = memory_find_dead_letter,
    .ping = memory_ping,
    .close = memory_close,
};

int cf_memory_open(cf_store_t **out, const cf_store_config_t *config)
{
    memory_t *self = calloc(1, sizeof *self);
    if (!self)
        return CF_ENOMEM;
    self->base.ops = &memory_ops;
    self->config = *config;
    self->db = find_database(config->url + strlen("memory:"));
    if (!self->db) {
        free(self);
        return CF_ENOMEM;
    }
    *out = &self->base;
    return 0;
}
