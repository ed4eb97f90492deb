/* store/store.h: how data stays. One table of functions per backend; the contract is the comment on
 * each member, and tests/store/ runs the same cases on every backend.
 *
 * A store belongs to one thread. Calls look blocking; whenever a backend waits for a socket it does
 * so through cf_store_wait_t, so that the actor that owns it can go on serving its inbox meanwhile.
 * Every call ends within the statement deadline (cf_store_config_t.statement_ms).
 *
 * Errors, where a member says no more: CF_EIO (lost connection, time-out, disk; the connection is
 * gone and the next call reopens it), CF_ENOMEM. After CF_EIO reads have delivered no rows or some
 * rows; the caller discards them. */
#ifndef CF_STORE_H
#define CF_STORE_H

#include "err.h"
#include "model.h"

typedef struct cf_store cf_store_t;
struct cf_lookup;

/* How a backend waits. wait() returns 0 when fd is readable (or, with for_write, writable),
 * CF_ETIME at until_us (cf_boot_us clock), CF_ECLOSING if the owner wants the call to end now. fd
 * -1 waits for the time only. It must not call the store. */
typedef struct {
    int (*wait)(void *arg, int fd, bool for_write, int64_t until_us);
    void *arg;
} cf_store_wait_t;

typedef enum { CF_STORE_WRITER, CF_STORE_READER } cf_store_role_t;

typedef struct {
    const char *url;      /* sqlite:PATH, postgres://... or postgresql://..., memory:NAME; borrowed
                             until close */
    cf_store_role_t role; /* one WRITER per store; it applies the migrations */
    int statement_ms;     /* deadline of one call; 4000 */
    int64_t key_ttl_us;   /* how long an idempotency key counts; at least 10 min */
    int64_t connection_ttl_us; /* PostgreSQL: a connection this old is opened anew before its next
                                  use; 0: never */
    cf_store_wait_t wait;      /* wait.wait == NULL: poll(2) */
    struct cf_lookup *
        *lookup; /* PostgreSQL: the look-up of the host that a failed open leaves running,
                                  for the next one; who opens ends it (lookup.h). NULL: none is left */
} cf_store_config_t;

/* --- writes ------------------------------------------------------------------------------------
 */

typedef enum {
    CF_WRITE_APPEND = 1,
    CF_WRITE_ACTIVATE,
    CF_WRITE_CREATE_USER,
    CF_WRITE_SET_PASSWORD,
    CF_WRITE_DISABLE_USER,
    CF_WRITE_ENABLE_USER,
    CF_WRITE_ADD_SESSION,
    CF_WRITE_REMOVE_SESSION,
    CF_WRITE_CREATE_ROOM,
    CF_WRITE_ADD_MEMBER,
    CF_WRITE_REMOVE_MEMBER,
    CF_WRITE_EXPIRE_SESSIONS,
    CF_WRITE_EXPIRE_KEYS,
    CF_WRITE_DEAD_LETTER,
    CF_WRITE_REMOVE_DEAD_LETTER,
    CF_WRITE_EXPIRE_DEAD_LETTERS,
    CF_WRITE_EXPIRE_POSTS,
} cf_write_kind_t;

/* A run: rows prev+1 .. prev+n of one room, in order, all or a prefix of it written. */
typedef struct {
    cf_id_t room;
    uint64_t epoch;
    uint64_t prev;         /* the room's last_seq must equal this */
    const cf_post_t *rows; /* rows[i].seq == prev + 1 + i; username is not looked at */
    uint32_t n;            /* 1..CF_RUN_ROWS_MAX */
} cf_run_t;

typedef struct {
    cf_write_kind_t kind;
    union {
        cf_run_t append;
        struct {
            cf_id_t room;
            uint32_t owner, from; /* numbers of nodes (registry.h); 0: none */
        } activate; /* raise its epoch by one and make it the owner's. CF_EMOVED: it is another node's, see
                       outcome.owner, unless that is `from`, which lets it go, or gone. Only PostgreSQL has
                       owners, the other backends are one process's own */
        cf_user_t create_user; /* id, username, email, password_hash, created_us */
        struct {
            cf_id_t user;
            cf_str_t password_hash;
        } set_password;
        struct {
            cf_id_t user;
            int64_t at_us;
        } disable_user; /* marks the user and removes all sessions; see below. Of a repeat the first
                           time counts. CF_EPERM: the bot */
        cf_id_t enable_user; /* also one who was not disabled */
        cf_session_t add_session;
        uint8_t remove_session[CF_TOKEN_HASH_SIZE];
        cf_room_row_t create_room; /* id, name, creator, created_us, ephemeral; the creator becomes
                                      a member in the same transaction */
        struct {
            cf_id_t room, user;
            int64_t at_us;
        } member; /* ADD_MEMBER, REMOVE_MEMBER; both idempotent */
        struct {
            int64_t until_us; /* everything that expired at or before this */
            uint32_t limit;   /* at most so many rows; see EXPIRE_POSTS below */
        } expire;
        cf_dead_letter_t dead_letter;
        cf_id_t remove_dead_letter; /* done also when there is none */
    };
} cf_write_t;

/* A disabled user keeps everything but the ways in: there is no session, ADD_SESSION is answered
 * CF_EPERM, and find_users delivers the user with an empty password_hash. SET_PASSWORD works, and counts
 * once the user is enabled again. */

/* EXPIRE_POSTS cuts histories off at their beginning: posts up to until_us go, the rooms with the oldest
 * first (SQLite: in order of the posts' ids, which rise with time, cf_id_new). A post takes every older one of
 * its room with it, so no history ever has a hole, and a few more than `limit` may go where the clock was stepped back.
 * Numbers stay used: last_seq and last_us of the rooms are not touched. */

typedef enum {
    CF_VERDICT_STORED = 1,   /* all rows are durable */
    CF_VERDICT_STALE_EPOCH,  /* another owner has the room; nothing written */
    CF_VERDICT_OUT_OF_ORDER, /* last_seq is not prev; nothing written */
    CF_VERDICT_DUPLICATE,    /* `stored` rows are durable; the next one repeats a client key: see
                                same_body, seq, id, at_us. It and all later ones were not written */
    CF_VERDICT_BAD_ROW, /* `stored` rows are durable; the next one breaks a constraint; it and all
                           later ones were not written */
    CF_VERDICT_UNKNOWN, /* the answer was lost: any prefix may have been written. The caller reads
                           back with settle() before it appends to this room again */
    CF_VERDICT_FAILED,  /* the store is away; certainly nothing was written */
    CF_VERDICT_NO_ROOM, /* there is no such room */
} cf_verdict_status_t;

typedef struct {
    int rc; /* 0, CF_ENOENT (no such room, user), CF_EEXIST (unique name, e-mail, token), CF_EPERM, CF_EMOVED (see
               the kind of write), CF_ERANGE (a value breaks base/model_limits.h), or CF_EIO. For CF_WRITE_APPEND look at status.
               With CF_EIO the write may or may not have happened; every kind but APPEND is safe to
               repeat: what is already there under the same id counts as done */
    cf_verdict_status_t status; /* APPEND only */
    uint32_t stored;            /* APPEND: rows written. EXPIRE_*: rows deleted */
    bool same_body;             /* DUPLICATE: the stored post has the same body_hash */
    uint64_t seq;               /* DUPLICATE: the stored post */
    cf_id_t id;
    int64_t at_us;
    cf_room_row_t room; /* ACTIVATE: the row after raising the epoch; name is empty */
    uint32_t
        owner; /* ACTIVATE, CF_EMOVED: the node whose the room is; 0: it has just changed, ask again */
} cf_outcome_t;

/* --- reads -------------------------------------------------------------------------------------
 */

typedef enum { CF_USER_BY_ID = 1, CF_USER_BY_NAME } cf_user_by_t;
typedef struct {
    cf_user_by_t by;
    cf_id_t id;
    cf_str_t name; /* exact case */
} cf_user_key_t;

typedef struct {
    cf_id_t room, user;
} cf_member_key_t;

typedef enum {
    CF_POSTS_NEWEST = 1,
    CF_POSTS_BEFORE_SEQ,  /* seq < at */
    CF_POSTS_BEFORE_TIME, /* at_us < at */
    CF_POSTS_BEFORE_ID,   /* older than post `id` of this room */
    CF_POSTS_AFTER_SEQ,   /* seq > at, the oldest `limit` of them */
} cf_posts_from_t;
typedef struct {
    cf_id_t room;
    cf_posts_from_t from;
    int64_t at; /* a seq or microseconds */
    cf_id_t id;
    uint32_t limit; /* 1..CF_RUN_ROWS_MAX */
} cf_posts_range_t;

/* What became of a range. */
typedef enum {
    CF_POSTS_NONE,  /* it begins at a post that is not one of the room */
    CF_POSTS_FOUND, /* its rows were delivered */
    CF_POSTS_WHOLE, /* and a newer post, which does not belong to it, is there: no store has more of it. PostgreSQL alone,
                       which has replicas, looks for that */
} cf_posts_found_t;

/* Row callbacks get the index of the key they answer and borrow their argument for the call. */
typedef void cf_user_row_fn(void *arg, size_t key, const cf_user_t *user);
typedef void cf_session_row_fn(void *arg, size_t key, const cf_session_t *session,
                               const cf_user_t *user);
typedef void cf_member_row_fn(void *arg, size_t key, bool room_exists, bool is_member);
typedef void cf_room_row_fn(void *arg, const cf_room_row_t *room);
typedef void cf_post_row_fn(void *arg, size_t key, const cf_post_t *post); /* username is set */
typedef void cf_dead_letter_row_fn(void *arg, const cf_dead_letter_t *letter);

typedef struct {
    const char *name; /* "sqlite", "postgres", "memory"; for logs */

    /* Carry out the writes in one transaction, in the order given (appends of one room in the order
     * given, whatever stands between). outcomes[i] answers writes[i]; what fails for its own
     * reasons does not undo the others. Everything reported as done is durable (fsync). Returns 0
     * when every outcome is known; CF_EIO when the store is away or the answer was lost: then
     * outcomes say for each append FAILED (nothing was sent or the server refused) or UNKNOWN, and
     * rc CF_EIO for the rest. */
    int (*write)(cf_store_t *self, const cf_write_t *writes, size_t n, cf_outcome_t *outcomes);

    /* After UNKNOWN: what became of these runs? Reads epoch, last_seq and the posts of each run and
     * fills the outcome with a verdict that is certain: STORED (with `stored` rows), DUPLICATE
     * (never), STALE_EPOCH, NO_ROOM, or FAILED = certainly not written, may be appended again.
     * STORED with stored < n is a prefix; whoever appends the rest learns why. CF_EIO: ask again
     * later. */
    int (*settle)(cf_store_t *self, const cf_run_t *runs, size_t n, cf_outcome_t *outcomes);

    /* Each of these gathers n keys into one query. Rows come in any order of keys; keys without a
     * row get no call (find_members: one call for every key). */
    int (*find_users)(cf_store_t *self, const cf_user_key_t *keys, size_t n, cf_user_row_fn *row,
                      void *arg);
    int (*find_sessions)(cf_store_t *self, const uint8_t (*token_hashes)[CF_TOKEN_HASH_SIZE],
                         size_t n, cf_session_row_fn *row,
                         void *arg); /* expired ones too; the caller looks */
    int (*find_members)(cf_store_t *self, const cf_member_key_t *keys, size_t n,
                        cf_member_row_fn *row, void *arg);

    /* Rooms by (created_us, id) descending, those after room `after` (NULL: from the newest). An
     * unknown `after` delivers nothing. limit 1..CF_ROOM_LIST_MAX + 1. */
    int (*list_rooms)(cf_store_t *self, const cf_id_t *after, uint32_t limit, cf_room_row_fn *row,
                      void *arg);

    /* Posts of each range, ascending by seq within a range. CF_POSTS_BEFORE_ID with an id that is
     * not a post of the room: no rows and CF_POSTS_NONE (found may be NULL; else n entries, set
     * for all). */
    int (*read_posts)(cf_store_t *self, const cf_posts_range_t *ranges, size_t n,
                      cf_post_row_fn *row, void *arg, cf_posts_found_t *found);

    /* Dead letters by (at_us, id) ascending, those behind (after->at_us, after->id), which need not
     * exist (NULL: from the oldest). */
    int (*list_dead_letters)(cf_store_t *self, const cf_dead_letter_t *after, uint32_t limit,
                             cf_dead_letter_row_fn *row, void *arg);

    /* The dead letter of this id: one call of row, or none. */
    int (*find_dead_letter)(cf_store_t *self, cf_id_t id, cf_dead_letter_row_fn *row, void *arg);

    /* Is the store there? Reconnects if it can. */
    int (*ping)(cf_store_t *self);
    void (*close)(cf_store_t *self); /* accepts a half-opened store; frees self */
} cf_store_ops_t;

struct cf_store {
    const cf_store_ops_t *ops;
};

/* Open by URL; a WRITER applies missing migrations. Returns 0 and a store the caller closes with
 * ops->close; CF_EIO if it is away now (try again); CF_ERANGE for an URL of no known backend;
 * CF_ESTALE if the schema is newer than this binary; CF_EFULL if another process owns the SQLite
 * file. */
int cf_store_open(cf_store_t **out, const cf_store_config_t *config);

/* The URL without user info and query, for logs; returns buffer. */
const char *cf_store_url_for_log(const char *url, char *buffer, size_t size);

/* The backends behind cf_store_open, one per pair of files. */
int cf_sqlite_open(cf_store_t **out, const cf_store_config_t *config);
int cf_postgres_open(cf_store_t **out, const cf_store_config_t *config);
int cf_memory_open(cf_store_t **out, const cf_store_config_t *config);

#endif
