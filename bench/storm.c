/* bench/storm: thousands of clients that are cut off and come back at once, and read what they find.
 *
 *     storm --url http://127.0.0.1:PORT --targets FILE
 *
 * FILE has a line "ROOM TOKEN" for each client. Commands come on standard input, one a line; each is answered by
 * one line of JSON:
 *
 *     in FROM COUNT PAGES   the clients FROM.. come all at once: each opens its socket by its cookie, tries again
 *                           until it is in its room, and with PAGES 1 reads the newest 50 messages, which are
 *                           held against what was acknowledged before
 *     post N                N posts in each of their rooms, one at a time in each, until all are acknowledged
 *     begin N               the same, and does not wait
 *     out                   their connections are reset, all at once
 *     cut                   waits until the server has ended all of them
 *
 * What was on its way to a room when its server was killed may be stored or not; what it is must be the same for
 * everybody who looks. */
#include "storm.h"

#include "payload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_MAX 1024
#define CHORES_NS 5000000LL
#define SECOND_NS 1000000000LL
#define HTTP_TAG (1u << 31) /* in what epoll reports: of a member's other connection */

/* --- targets -----------------------------------------------------------------------------------
 */

static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;
    ssize_t got = file ? getdelim(&text, &size, '\0', file) : -1;
    if (file)
        fclose(file);
    if (got > 0)
        return text;
    perror(path);
    free(text);
    return NULL;
}

/* Lines of one room may stand anywhere: rooms are found by a table of their ids. */
static uint32_t room_named(cf_storm_t *storm, uint32_t *table, uint32_t size, const char *id)
{
    uint32_t at = cf_crc32(id, strlen(id)) % size;
    for (; table[at]; at = (at + 1) % size)
        if (strcmp(storm->rooms[table[at] - 1].id, id) == 0)
            return table[at] - 1;
    strcpy(storm->rooms[storm->room_count].id, id);
    table[at] = ++storm->room_count;
    return table[at] - 1;
}

static int read_targets(cf_storm_t *storm, const char *path)
{
    uint32_t lines = 0;
    char *save = NULL;
    if (!(storm->text = read_whole(path)))
        return -1;
    for (const char *at = storm->text; *at; at++)
        lines += *at == '\n';
    uint32_t *table = calloc(2 * (size_t)lines + 1, sizeof *table);
    storm->targets = calloc(lines + 1, sizeof *storm->targets);
    storm->rooms = cf_conn_reserve((lines + 1) * sizeof *storm->rooms);
    bool is_good = table && storm->targets && storm->rooms;
    for (char *line = strtok_r(storm->text, "\n", &save); line && is_good;
         line = strtok_r(NULL, "\n", &save)) {
        char *blank = strchr(line, ' ');
        is_good = blank && blank - line < CF_ROOM_ID_MAX;
        if (!is_good)
            break;
        *blank = '\0';
        storm->targets[storm->target_count++] =
            (cf_target_t){room_named(storm, table, 2 * lines + 1, line), blank + 1};
    }
    free(table);
    if (!is_good)
        fprintf(stderr, "%s: line %u is not 'ROOM TOKEN'\n", path, storm->target_count + 1);
    return is_good ? 0 : -1;
}

/* --- the loop ----------------------------------------------------------------------------------
 */

static void retry(cf_storm_t *storm)
{
    for (uint32_t i = 0; i < storm->member_count; i++) {
        cf_member_t *member = &storm->members[i];
        if (member->retry_ns > storm->now_ns)
            continue;
        if (member->state == CF_BACK_AWAY && storm->connecting < storm->connecting_max)
            cf_member_connect(storm, member);
        else if (member->state == CF_BACK_JOINED)
            cf_member_read_page(storm, member);
    }
}

static void turn(cf_storm_t *storm)
{
    static int64_t next_chores_ns;
    static struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(storm->epoll, events, EVENTS_MAX, CHORES_NS / 1000000);
    storm->now_ns = cf_now_ns();
    for (int i = 0; i < n; i++) {
        uint32_t tag = events[i].data.u32;
        cf_member_on_event(storm, &storm->members[tag & ~HTTP_TAG], tag & HTTP_TAG,
                           events[i].events);
    }
    storm->now_ns = cf_now_ns();
    if (storm->now_ns >= next_chores_ns) {
        retry(storm);
        next_chores_ns = storm->now_ns + CHORES_NS;
    }
}

static bool is_late(const cf_storm_t *storm)
{
    return storm->now_ns - storm->begun_ns > storm->limit_s * SECOND_NS;
}

/* --- answers -----------------------------------------------------------------------------------
 */

static double seconds(int64_t ns)
{
    return (double)ns / 1e9;
}

static void answer(cf_storm_t *storm)
{
    const cf_storm_faults_t *f = &storm->faults;
    printf("{\"seconds\": %.4f, \"joined_s\": %.4f, \"members\": %u, \"there\": %u, \"retries\": "
           "%" PRIu64 ", \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"faults\": {\"lost\": %" PRIu64
           ", \"doubled\": %" PRIu64 ", \"out_of_order\": %" PRIu64 ", \"differing\": %" PRIu64
           ", \"unreadable\": %" PRIu64 ", \"ack_wrong\": %" PRIu64 ", \"refused_posts\": %" PRIu64
           ", \"absent\": %" PRIu64 "}, \"refusals\": ",
           seconds(storm->now_ns - storm->begun_ns),
           seconds(storm->all_joined_ns - storm->begun_ns), storm->member_count, storm->there,
           storm->retries, (double)cf_histogram_at(&storm->back, 0.5) / 1e6,
           (double)cf_histogram_at(&storm->back, 0.99) / 1e6, f->lost, f->doubled, f->disordered,
           f->differing, f->unreadable, f->ack_wrong, f->refused_posts, f->absent);
    cf_print_kinds(stdout, storm->refusals);
    printf("}\n");
    fflush(stdout);
}

static void begin(cf_storm_t *storm)
{
    storm->begun_ns = storm->all_joined_ns = storm->now_ns = cf_now_ns();
    storm->retries = 0;
    storm->back = (cf_histogram_t){0};
    storm->faults = (cf_storm_faults_t){0};
    memset(storm->refusals, 0, sizeof storm->refusals);
}

/* --- commands ----------------------------------------------------------------------------------
 */

static void come_in(cf_storm_t *storm, uint32_t from, uint32_t count, uint32_t pages)
{
    storm->member_count = count;
    storm->reads_pages = pages != 0;
    for (uint32_t i = 0; i < count; i++) {
        storm->members[i].state = CF_BACK_AWAY;
        storm->members[i].target = from + i;
        storm->members[i].retry_ns = 0;
        storm->members[i].attempts = 0;
    }
    retry(storm);
    while (storm->there < count && !is_late(storm))
        turn(storm);
    storm->faults.absent = count - storm->there;
    if (pages)
        cf_rooms_settle(storm);
}

static void begin_posts(cf_storm_t *storm, uint32_t n)
{
    for (uint32_t i = 0; i < storm->member_count; i++) {
        cf_storm_room_t *room = &storm->rooms[storm->targets[storm->members[i].target].room];
        if (storm->members[i].state != CF_BACK_THERE || room->posting || room->to_post)
            continue;
        room->to_post = n;
        cf_member_post(storm, &storm->members[i]);
    }
}

static void await_acks(cf_storm_t *storm)
{
    while (storm->waiting_acks && !is_late(storm))
        turn(storm);
    storm->faults.lost += storm->waiting_acks;
}

/* Nobody waits for an answer any more. */
static void forget_posts(cf_storm_t *storm)
{
    storm->waiting_acks = 0;
    for (uint32_t i = 0; i < storm->room_count; i++)
        storm->rooms[i].to_post = 0;
}

static void go_out(cf_storm_t *storm)
{
    for (uint32_t i = 0; i < storm->member_count; i++)
        cf_member_drop(storm, &storm->members[i]);
    forget_posts(storm);
}

static void await_cut(cf_storm_t *storm)
{
    while (storm->there && !is_late(storm))
        turn(storm);
    storm->faults.absent = storm->there; /* still there */
    forget_posts(storm);
}

static bool obey(cf_storm_t *storm, const char *line)
{
    uint32_t from, count, pages, n;
    begin(storm);
    if (sscanf(line, "in %u %u %u", &from, &count, &pages) == 3 && count <= storm->member_max &&
        (uint64_t)from + count <= storm->target_count && storm->there == 0) {
        come_in(storm, from, count, pages);
    } else if (sscanf(line, "post %u", &n) == 1 && n > 0) {
        begin_posts(storm, n);
        await_acks(storm);
    } else if (sscanf(line, "begin %u", &n) == 1 && n > 0) {
        begin_posts(storm, n);
    } else if (strcmp(line, "out\n") == 0) {
        go_out(storm);
    } else if (strcmp(line, "cut\n") == 0) {
        await_cut(storm);
    } else {
        return false;
    }
    answer(storm);
    return true;
}

/* --- life --------------------------------------------------------------------------------------
 */

static int usage(const char *why)
{
    fprintf(
        stderr,
        "storm: %s\nusage: storm --url URL --targets FILE [--members N] [--connecting N] [--limit "
        "SECONDS] [--payload BYTES]\n",
        why);
    return 2;
}

static int make_members(cf_storm_t *storm)
{
    size_t n = storm->member_max;
    uint8_t *bytes = cf_conn_reserve(2 * n * (CF_IN_MAX + CF_OUT_MAX));
    storm->members = cf_conn_reserve(n * sizeof *storm->members);
    storm->scratch = cf_conn_reserve(CF_SCRATCH_MAX);
    if (!bytes || !storm->members || !storm->scratch)
        return -1;
    for (uint32_t i = 0; i < n; i++) {
        cf_conn_t *both[] = {&storm->members[i].socket, &storm->members[i].http};
        for (uint32_t k = 0; k < 2; k++, bytes += CF_IN_MAX + CF_OUT_MAX)
            *both[k] = (cf_conn_t){.fd = -1,
                                   .epoll = storm->epoll,
                                   .tag = i | (k ? HTTP_TAG : 0),
                                   .in = bytes,
                                   .out = bytes + CF_IN_MAX};
    }
    return 0;
}

static int read_options(cf_storm_t *storm, const char **targets, int argc, char **argv)
{
    static const struct option options[] = {{"url", required_argument, NULL, 'u'},
                                            {"targets", required_argument, NULL, 't'},
                                            {"members", required_argument, NULL, 'm'},
                                            {"connecting", required_argument, NULL, 'c'},
                                            {"limit", required_argument, NULL, 'l'},
                                            {"payload", required_argument, NULL, 'p'},
                                            {NULL, 0, NULL, 0}};
    int option, port = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        switch (option) {
        case 'u':
            if (sscanf(optarg, "http://127.0.0.1:%d", &port) != 1)
                return usage("--url must be http://127.0.0.1:PORT");
            break;
        case 't':
            *targets = optarg;
            break;
        case 'm':
            storm->member_max = (uint32_t)atoi(optarg);
            break;
        case 'c':
            storm->connecting_max = (uint32_t)atoi(optarg);
            break;
        case 'l':
            storm->limit_s = atoi(optarg);
            break;
        case 'p':
            storm->payload = atoi(optarg);
            break;
        default:
            return usage("unknown option");
        }
    }
    if (!*targets || port == 0)
        return usage("--url and --targets are needed");
    if (storm->payload < CF_PAYLOAD_MIN || storm->payload > CF_PAYLOAD_MAX)
        return usage("--payload is out of bounds");
    storm->server = (struct sockaddr_in){.sin_family = AF_INET,
                                         .sin_port = htons((uint16_t)port),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    snprintf(storm->host, sizeof storm->host, "127.0.0.1:%d", port);
    return 0;
}

int main(int argc, char **argv)
{
    static cf_storm_t storm = {.payload = 128, .limit_s = 60, .connecting_max = UINT32_MAX};
    const char *targets = NULL;
    char line[128];
    int rc = read_options(&storm, &targets, argc, argv);
    if (rc != 0)
        return rc;
    cf_conn_raise_limit();
    storm.run = (uint64_t)cf_now_ns() >> 16 & 0xffffffff;
    storm.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (storm.epoll < 0 || read_targets(&storm, targets) < 0)
        return 1;
    if (!storm.member_max)
        storm.member_max = storm.target_count;
    if (make_members(&storm) < 0) {
        fprintf(stderr, "storm: no memory\n");
        return 1;
    }
    while (fgets(line, sizeof line, stdin))
        if (!obey(&storm, line)) {
            fprintf(stderr, "storm: cannot do '%s'\n", line);
            return 1;
        }
    go_out(&storm);
    free(storm.text);
    free(storm.targets);
    return 0;
}
