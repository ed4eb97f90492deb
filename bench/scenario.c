/* bench/scenario: virtual users who come and go in stages, as in k6's ramping-vus.
 *
 *     --rooms FILE                     one room in each line, "ROOM-ID OBSERVER-TOKEN"
 *     --stages SECONDS:USERS,...       in each stage the number of users goes to USERS in a line
 *     --group SHARE:FIRST-LAST:MIN-MAX users of it choose rooms FIRST..LAST of the file and send
 *                                      MIN..MAX messages a minute; several times
 *     --commands SHARE:SECONDS         so many of the users also send a stock command every SECONDS
 *     --session SECONDS                a user stays so long in the room
 *     --graceful SECONDS               who is one too many may end what was begun, this long at most
 *     --hold FROM:TO                   seconds between which all users are there
 *
 * It measures and judges nothing: that is for bench/scenarios.py, which reads --json and --posts (each
 * post: room, seq, id, crc32 of its text, acked). Exit: 0 played to the end, 2 usage, 3 the observers
 * could not get in. SIGINT ends it early. */
#include "scenario.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "process.h"

#define EVENTS_MAX 512
#define SECOND_NS 1000000000LL
#define TICK_NS 5000000LL
#define OBSERVERS_LIMIT_NS (60 * SECOND_NS)
#define DRAIN_LIMIT_NS (30 * SECOND_NS)
#define DRAIN_MORE_NS (SECOND_NS / 2)

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

double cf_random(double from, double to)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return from + (to - from) * ((double)(state >> 11) / 9007199254740992.0);
}

/* ---- options */

static const struct option option_table[] = {{"url", required_argument, NULL, 'u'},
                                             {"rooms", required_argument, NULL, 'r'},
                                             {"prefix", required_argument, NULL, 'p'},
                                             {"stages", required_argument, NULL, 's'},
                                             {"group", required_argument, NULL, 'g'},
                                             {"commands", required_argument, NULL, 'c'},
                                             {"session", required_argument, NULL, 'S'},
                                             {"graceful", required_argument, NULL, 'G'},
                                             {"hold", required_argument, NULL, 'h'},
                                             {"pid", required_argument, NULL, 'P'},
                                             {"json", required_argument, NULL, 'j'},
                                             {"posts", required_argument, NULL, 'o'},
                                             {NULL, 0, NULL, 0}};

static int usage(const char *problem)
{
    fprintf(stderr,
            "scenario: %s\nusage: scenario --url http://IPV4:PORT --rooms FILE --prefix NAME\n"
            "  --stages SECONDS:USERS,... --group SHARE:FIRST-LAST:MIN-MAX... --session SECONDS\n"
            "  [--commands SHARE:SECONDS] [--graceful SECONDS] [--hold FROM:TO] [--pid SERVER]\n"
            "  [--json FILE] [--posts FILE]\n",
            problem);
    return 2;
}

static bool read_url(cf_options_t *o, const char *url)
{
    char ip[48];
    int port;
    if (sscanf(url, "http://%47[0-9.]:%d", ip, &port) != 2 || port < 1 || port > 65535)
        return false;
    o->server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    snprintf(o->host, sizeof o->host, "%s:%d", ip, port);
    return inet_pton(AF_INET, ip, &o->server.sin_addr) == 1;
}

static bool read_stages(cf_options_t *o, char *text)
{
    char *save = NULL;
    for (char *one = strtok_r(text, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
        cf_stage_t *stage = &o->stages[o->stage_count];
        if (o->stage_count == CF_STAGES_MAX ||
            sscanf(one, "%lf:%u", &stage->seconds, &stage->users) != 2)
            return false;
        o->stage_count++;
    }
    return true;
}

static bool read_group(cf_options_t *o, const char *text)
{
    if (o->group_count == CF_GROUPS_MAX)
        return false;
    cf_group_t *group = &o->groups[o->group_count++];
    return sscanf(text, "%lf:%u-%u:%lf-%lf", &group->share, &group->first_room, &group->last_room,
                  &group->rate_min, &group->rate_max) == 5 &&
           group->first_room <= group->last_room;
}

static bool read_option(cf_options_t *o, int c)
{
    switch (c) {
    case 'u':
        return read_url(o, optarg);
    case 'r':
        o->rooms = optarg;
        return true;
    case 'p':
        o->prefix = optarg;
        return strlen(optarg) <= 20;
    case 's':
        return read_stages(o, optarg);
    case 'g':
        return read_group(o, optarg);
    case 'c':
        return sscanf(optarg, "%lf:%lf", &o->command_share, &o->command_every) == 2;
    case 'S':
        return sscanf(optarg, "%lf", &o->session) == 1;
    case 'G':
        return sscanf(optarg, "%lf", &o->graceful) == 1;
    case 'h':
        return sscanf(optarg, "%lf:%lf", &o->hold_from, &o->hold_to) == 2;
    case 'P':
        o->pid = atoi(optarg);
        return true;
    case 'j':
        o->json_path = optarg;
        return true;
    case 'o':
        o->posts_path = optarg;
        return true;
    default:
        return false;
    }
}

static int read_options(cf_options_t *o, int argc, char **argv)
{
    *o = (cf_options_t){.graceful = 30};
    for (int c; (c = getopt_long(argc, argv, "", option_table, NULL)) != -1;)
        if (!read_option(o, c))
            return usage("an option is unknown or its value cannot be read");
    if (!o->rooms || !o->prefix || o->server.sin_port == 0 || o->stage_count == 0 ||
        o->group_count == 0 || o->session <= 0)
        return usage("--url, --rooms, --prefix, --stages, --group and --session are needed");
    return 0;
}

/* ---- set-up */

static void place(cf_scenario_t *run, uint32_t index, uint8_t *buffers)
{
    const size_t each = CF_IN_MAX + CF_OUT_MAX;
    uint8_t *http = buffers + (size_t)index * 2 * each, *socket = http + each;
    cf_user_t *user = &run->users[index];
    user->index = index;
    user->http = (cf_conn_t){
        .fd = -1, .epoll = run->epoll, .tag = index * 2, .in = http, .out = http + CF_IN_MAX};
    user->socket = (cf_conn_t){.fd = -1,
                               .epoll = run->epoll,
                               .tag = index * 2 + 1,
                               .in = socket,
                               .out = socket + CF_IN_MAX};
}

static int make_users(cf_scenario_t *run)
{
    for (int i = 0; i < run->options.stage_count; i++)
        if (run->options.stages[i].users > run->user_count)
            run->user_count = run->options.stages[i].users;
    size_t all = run->user_count + run->observer_count;
    uint8_t *buffers = cf_conn_reserve(all * 2 * (CF_IN_MAX + CF_OUT_MAX));
    run->dirty = cf_conn_reserve(all * sizeof *run->dirty);
    cf_user_t *users = cf_conn_reserve(all * sizeof *users);
    if (!buffers || !run->dirty || !users)
        return -1;
    memcpy(users + run->user_count, run->users, run->observer_count * sizeof *users);
    free(run->users);
    run->users = users;
    for (uint32_t i = 0; i < all; i++)
        place(run, i, buffers);
    return 0;
}

/* Each line is a room and its observer. */
static int read_rooms(cf_scenario_t *run)
{
    char line[400];
    FILE *file = fopen(run->options.rooms, "r");
    if (!file)
        return -1;
    while (fgets(line, sizeof line, file)) {
        uint32_t n = run->room_count;
        cf_room_t *rooms = realloc(run->rooms, (n + 1) * sizeof *rooms);
        run->rooms = rooms ? rooms : run->rooms;
        cf_user_t *observers = realloc(run->users, (n + 1) * sizeof *observers);
        run->users = observers ? observers : run->users;
        if (!rooms || !observers)
            break;
        rooms[n] = (cf_room_t){0};
        memset(&observers[n], 0, sizeof observers[n]);
        observers[n].observes = true;
        observers[n].room = n;
        if (sscanf(line, "%36s %255s", rooms[n].id, observers[n].token) != 2)
            break;
        run->observer_count = ++run->room_count;
    }
    bool whole = feof(file);
    fclose(file);
    errno = whole ? errno : EINVAL;
    return whole ? 0 : -1;
}

static int set_up(cf_scenario_t *run)
{
    cf_conn_raise_limit();
    run->epoll = epoll_create1(EPOLL_CLOEXEC);
    run->scratch = cf_conn_reserve(CF_SCRATCH_MAX);
    run->samples = cf_conn_reserve(CF_SAMPLES_MAX * sizeof *run->samples);
    if (run->epoll < 0 || !run->scratch || !run->samples || read_rooms(run) < 0 ||
        make_users(run) < 0)
        return -1;
    for (uint32_t i = 0; i < run->room_count; i++)
        if (cf_room_build(&run->rooms[i], run->room_count) < 0)
            return -1;
    for (int i = 0; i < run->options.group_count; i++)
        if (run->options.groups[i].last_room >= run->room_count) {
            errno = ERANGE;
            return -1;
        }
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return 0;
}

/* ---- how many users there are */

static double seconds_since_start(const cf_scenario_t *run)
{
    return (double)(run->now_ns - run->start_ns) / 1e9;
}

static double length(const cf_options_t *o)
{
    double sum = 0;
    for (int i = 0; i < o->stage_count; i++)
        sum += o->stages[i].seconds;
    return sum;
}

static uint32_t users_at(const cf_options_t *o, double at)
{
    double from = 0;
    for (int i = 0; i < o->stage_count; i++) {
        const cf_stage_t *stage = &o->stages[i];
        if (at < stage->seconds)
            return (uint32_t)(from + (stage->users - from) * at / stage->seconds);
        at -= stage->seconds;
        from = stage->users;
    }
    return 0;
}

/* Users above the number wanted are told to stop: they have --graceful to end what they began. */
static void adjust(cf_scenario_t *run)
{
    uint32_t wanted = users_at(&run->options, seconds_since_start(run));
    for (uint32_t i = 0; i < run->user_count; i++) {
        cf_user_t *user = &run->users[i];
        if (i < wanted && user->state == CF_USER_OFF)
            cf_user_start(run, user);
        else if (i < wanted)
            user->stop_ns = 0;
        else if (user->state != CF_USER_OFF && user->stop_ns == 0)
            user->stop_ns = run->now_ns + (int64_t)(run->options.graceful * 1e9);
        else if (user->state != CF_USER_OFF && run->now_ns >= user->stop_ns)
            cf_user_stop(run, user);
    }
}

/* ---- the loop */

static int64_t own_cpu_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * SECOND_NS + used.tv_nsec;
}

static void sample(cf_scenario_t *run)
{
    if (!run->playing || run->sample_count >= CF_SAMPLES_MAX ||
        seconds_since_start(run) < run->sample_count)
        return;
    pid_t pid = run->options.pid;
    run->samples[run->sample_count++] = (cf_sample_t){.cpu_ns = pid ? cf_process_cpu_ns(pid) : -1,
                                                      .own_cpu_ns = own_cpu_ns(),
                                                      .rss_kib = pid ? cf_process_rss_kib(pid) : -1,
                                                      .threads = pid ? cf_process_threads(pid) : -1,
                                                      .users = run->active,
                                                      .deliveries = run->counts.deliveries};
    if (run->sample_count % 10 == 0)
        cf_scenario_print_progress(run);
}

static void tick(cf_scenario_t *run, int64_t late_ns)
{
    if (run->playing) {
        cf_histogram_add(&run->lag, late_ns);
        adjust(run);
    }
    for (uint32_t i = 0; i < run->user_count + run->observer_count; i++)
        cf_user_tick(run, &run->users[i]);
    sample(run);
}

/* One pass: wait, read, do what is due, and only then send what was gathered. */
static void turn(cf_scenario_t *run)
{
    static struct epoll_event events[EVENTS_MAX];
    static int64_t next_ns;
    int n = epoll_wait(run->epoll, events, EVENTS_MAX, TICK_NS / 1000000);
    run->now_ns = cf_now_ns();
    for (int i = 0; i < n; i++)
        cf_user_on_event(run, &run->users[events[i].data.u32 / 2], events[i].data.u32 % 2,
                         events[i].events);
    run->now_ns = cf_now_ns();
    if (run->now_ns >= next_ns) {
        tick(run, next_ns ? run->now_ns - next_ns : 0);
        next_ns = run->now_ns + TICK_NS;
    }
    for (uint32_t i = 0; i < run->dirty_count; i++)
        cf_user_flush(run->dirty[i]);
    run->dirty_count = 0;
}

/* ---- phases */

static bool observers_are_in(const cf_scenario_t *run)
{
    for (uint32_t i = 0; i < run->observer_count; i++)
        if (!run->users[run->user_count + i].joined)
            return false;
    return true;
}

static bool let_observers_in(cf_scenario_t *run)
{
    run->now_ns = cf_now_ns();
    int64_t limit_ns = run->now_ns + OBSERVERS_LIMIT_NS;
    for (uint32_t i = 0; i < run->observer_count; i++)
        cf_user_observe(run, &run->users[run->user_count + i]);
    while (!observers_are_in(run) && run->now_ns < limit_ns && !run->counts.observers_lost &&
           !interrupted)
        turn(run);
    return observers_are_in(run);
}

static void play(cf_scenario_t *run)
{
    double whole = length(&run->options);
    run->start_ns = run->now_ns = cf_now_ns();
    run->playing = true;
    while ((run->active || seconds_since_start(run) < whole) && !interrupted)
        turn(run);
    run->playing = false;
    for (uint32_t i = 0; i < run->user_count; i++)
        cf_user_stop(run, &run->users[i]);
}

static void drain(cf_scenario_t *run)
{
    int64_t limit_ns = run->now_ns + DRAIN_LIMIT_NS;
    while (!cf_talk_observers_done(run) && run->now_ns < limit_ns)
        turn(run);
    /* What should not come (a second copy, a post nobody was told of) would come now. */
    for (int64_t until_ns = run->now_ns + DRAIN_MORE_NS; run->now_ns < until_ns;)
        turn(run);
    cf_talk_finish(run);
    for (uint32_t i = 0; i < run->observer_count; i++)
        cf_user_stop(run, &run->users[run->user_count + i]);
}

int main(int argc, char **argv)
{
    static cf_scenario_t run;
    int rc = read_options(&run.options, argc, argv);
    if (rc != 0)
        return rc;
    if (set_up(&run) < 0) {
        fprintf(stderr, "scenario: cannot set up: %s\n", strerror(errno));
        return 1;
    }
    if (let_observers_in(&run)) {
        play(&run);
        drain(&run);
    } else {
        fprintf(stderr, "scenario: the observers could not get in\n");
        rc = 3;
    }
    if (!cf_scenario_write_json(&run) || !cf_scenario_write_posts(&run))
        rc = 1;
    for (uint32_t i = 0; i < run.room_count; i++)
        cf_room_free(&run.rooms[i]);
    free(run.rooms);
    return rc;
}
