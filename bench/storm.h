/* bench/storm.h: the state of bench/storm; one thread owns all of it.
 *
 * storm.c obeys commands and turns the loop; storm_client.c speaks the protocol; storm_page.c knows what was
 * acknowledged in each room and holds pages of history against it. */
#ifndef CF_STORM_H
#define CF_STORM_H

#include "conn.h"
#include "frame.h"
#include "histogram.h"
#include "kinds.h"

#include <stdbool.h>
#include <stdint.h>

#define CF_PAGE_POSTS 50
#define CF_ROOM_ID_MAX 40

typedef enum {
    CF_BACK_IDLE,    /* no socket, wants none */
    CF_BACK_AWAY,    /* wants one, again at retry_ns */
    CF_BACK_JOINING, /* connecting, upgrading, waiting to be told that it is in */
    CF_BACK_JOINED,  /* in its room; asks for the newest page at retry_ns */
    CF_BACK_READING,
    CF_BACK_THERE,
} cf_back_t;

typedef struct {
    cf_back_t state;
    bool is_upgraded;
    uint32_t target; /* index of its line in the file of targets */
    cf_conn_t socket, http;
    int64_t retry_ns;
    int attempts;
} cf_member_t;

/* One line of the file: a client, and the room it belongs to. */
typedef struct {
    uint32_t room;
    const char *token;
} cf_target_t;

/* Posts of a room are made one at a time, so post n has number n. */
typedef struct {
    char id[CF_ROOM_ID_MAX];
    uint64_t acked;   /* number of the newest post that was acknowledged */
    bool posting;     /* the next one is on its way; when its socket ends it may be stored or not */
    bool was_without; /* a page was read that did not have it */
    uint64_t to_post;
    uint64_t ids[CF_PAGE_POSTS + 1]; /* hashes of the newest posts' ids, by number */
} cf_storm_room_t;

/* What must be 0. */
typedef struct {
    uint64_t lost, doubled, disordered, differing, unreadable, ack_wrong, refused_posts, absent;
} cf_storm_faults_t;

typedef struct {
    struct sockaddr_in server;
    char host[64];
    uint64_t run;
    uint32_t connecting_max;
    int limit_s;
    int payload;
    char *text; /* of the file of targets */
    cf_target_t *targets;
    uint32_t target_count;
    cf_storm_room_t *rooms;
    uint32_t room_count;
    cf_member_t *members; /* those of the latest `in`: target from + i */
    uint32_t member_count, member_max;
    int epoll;
    uint8_t *scratch; /* CF_SCRATCH_MAX */
    int64_t now_ns, begun_ns;
    bool reads_pages;
    uint32_t connecting, joined, there;
    uint64_t waiting_acks, retries;
    int64_t all_joined_ns;
    cf_histogram_t back; /* from the command to being there */
    cf_kind_t refusals[CF_KINDS_MAX];
    cf_storm_faults_t faults;
} cf_storm_t;

/* storm_client.c */
void cf_member_connect(cf_storm_t *storm, cf_member_t *member);
void cf_member_read_page(cf_storm_t *storm, cf_member_t *member);
void cf_member_on_event(cf_storm_t *storm, cf_member_t *member, bool is_http, uint32_t events);
void cf_member_post(cf_storm_t *storm, cf_member_t *member); /* the next post of its room */
void cf_member_drop(cf_storm_t *storm, cf_member_t *member); /* resets its connections */

/* storm_page.c */
void cf_room_begin_post(cf_storm_room_t *room);
void cf_room_acked(cf_storm_t *storm, uint32_t room, cf_slice_t id, cf_slice_t seq);
/* False if the body is no page. */
bool cf_room_check_page(cf_storm_t *storm, uint32_t room, cf_slice_t body);
/* Of all pages that were read: what may or may not be stored is taken as they had it. */
void cf_rooms_settle(cf_storm_t *storm);

#endif
