/* bench/load: thousands of WebSocket clients in one thread, every delivery checked.
 *
 * --targets names a file with one client in each line, "ROOM-ID TOKEN" or "ROOM-ID TOKEN N"; client i is line i, and
 * connects to the N-th --url, 0 by default. --pid may be given several times as well: what all these processes use is
 * summed up. Writers are spread evenly over the clients and take turns. How much is posted:
 *     --rate N       N posts a second over all writers, latency counted from when each was due
 *     --inflight N   N posts at any time whose deliveries have not all arrived
 *     neither        every writer keeps --window posts without ack
 * With --reconnect whoever has lost its connection comes back, to the next --url, soon or, with --heed, when it was told
 * to, as the page does; with --silence also who has got
 * nothing for so long, a ping neither: behind the connection may be a node that is frozen or cut off.
 * --stopped and --drip make the last clients read nothing, or a byte a second. On SIGUSR1 every other
 * one that has stopped reads on. With --comeback, behind the measured seconds, those whose connection
 * has ended come back as ordinary readers, and posts go on until each has got one.
 * Exit: 0 nothing wrong, 1 something lost, doubled, swapped, changed or misrouted, 2 usage, 3 the
 * clients could not connect. SIGINT ends the posting; what is on its way is still waited for. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "process.h"

#define EVENTS_MAX 512
#define TIMER UINT32_MAX
#define CHORES_NS 50000000LL
#define LATE_MAX_NS 1000000000LL /* a post that could not be sent for so long is skipped */
#define SOURCES 8                /* addresses to connect from */
#define SETTLE_NS 1000000000LL   /* from the last join to the first post */
#define SECOND_NS 1000000000LL
#define STALL_NS (30 * SECOND_NS)

static volatile sig_atomic_t interrupted, wake;

static void on_signal(int number)
{
    if (number == SIGUSR1)
        wake = 1;
    else
        interrupted = number;
}

/* ---- options */

static const struct option option_table[] = {{"url", required_argument, NULL, 'u'},
                                             {"targets", required_argument, NULL, 't'},
                                             {"name", required_argument, NULL, 'n'},
                                             {"rate", required_argument, NULL, 'r'},
                                             {"inflight", required_argument, NULL, 'i'},
                                             {"window", required_argument, NULL, 'w'},
                                             {"seconds", required_argument, NULL, 's'},
                                             {"posts", required_argument, NULL, 'p'},
                                             {"writers", required_argument, NULL, 'W'},
                                             {"payload", required_argument, NULL, 'l'},
                                             {"stopped", required_argument, NULL, 'S'},
                                             {"drip", required_argument, NULL, 'D'},
                                             {"pid", required_argument, NULL, 'P'},
                                             {"json", required_argument, NULL, 'j'},
                                             {"ledger", required_argument, NULL, 'L'},
                                             {"run", required_argument, NULL, 'R'},
                                             {"connecting", required_argument, NULL, 'c'},
                                             {"connect-limit", required_argument, NULL, 'C'},
                                             {"drain-limit", required_argument, NULL, 'd'},
                                             {"silence", required_argument, NULL, 'q'},
                                             {"no-keys", no_argument, NULL, 'k'},
                                             {"no-joins", no_argument, NULL, 'J'},
                                             {"no-acks", no_argument, NULL, 'A'},
                                             {"reconnect", no_argument, NULL, 'x'},
                                             {"heed", no_argument, NULL, 'h'},
                                             {"comeback", no_argument, NULL, 'b'},
                                             {"no-copies", no_argument, NULL, 'y'},
                                             {"dialect", required_argument, NULL, 'a'},
                                             {"path", required_argument, NULL, 'o'},
                                             {NULL, 0, NULL, 0}};

static int usage(const char *problem)
{
    fprintf(stderr,
            "load: %s\nusage: load --url http[s]://IPV4:PORT... --targets FILE [--name TEXT]\n"
            "  [--rate N | --inflight N] [--window N] [--seconds N] [--posts N] [--writers N] "
            "[--payload BYTES]\n"
            "  [--stopped N] [--drip N] [--comeback] [--no-keys] [--no-joins] [--no-acks] "
            "[--reconnect [--heed]]\n"
            "  [--dialect confab|plain|mqtt|nats|socketio] [--path PATH, %%s is the room]\n"
            "  [--pid SERVER]... [--json FILE] [--ledger FILE] [--no-copies] [--run N]\n"
            "  [--connecting N] [--connect-limit SECONDS] [--drain-limit SECONDS] [--silence "
            "SECONDS]\n",
            problem);
    return 2;
}

static bool read_url(cf_options_t *options, const char *url)
{
    char ip[48];
    int port;
    bool is_tls = strncmp(url, "https://", 8) == 0;
    if (sscanf(url, is_tls ? "https://%47[0-9.]:%d" : "http://%47[0-9.]:%d", ip, &port) != 2 ||
        port < 1 || port > 65535 || options->server_count == CF_SERVERS_MAX ||
        (is_tls && cf_conn_speak_tls() < 0))
        return false;
    cf_server_t *server = &options->servers[options->server_count++];
    server->address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    snprintf(server->host, sizeof server->host, "%s:%d", ip, port);
    return inet_pton(AF_INET, ip, &server->address.sin_addr) == 1;
}

static int read_options(cf_options_t *o, int argc, char **argv)
{
    *o = (cf_options_t){.dialect = &cf_confab_dialect,
                        .name = "load",
                        .window = 8,
                        .seconds = 10,
                        .writers = -1,
                        .payload = 128,
                        .connecting_max = 64,
                        .connect_limit = 120,
                        .drain_limit = 30,
                        .keys = true,
                        .joins = true,
                        .acks = true,
                        .copies = true,
                        .run = (uint64_t)time(NULL) * 100000 + (uint64_t)getpid() % 100000};
    for (int c; (c = getopt_long(argc, argv, "", option_table, NULL)) != -1;) {
        switch (c) {
        case 'u':
            if (!read_url(o, optarg))
                return usage("--url must be http://IPV4:PORT or https://IPV4:PORT, of 8 at most");
            break;
        case 't':
            o->targets = optarg;
            break;
        case 'n':
            o->name = optarg;
            break;
        case 'r':
            o->rate = atof(optarg);
            break;
        case 'i':
            o->inflight = atoi(optarg);
            break;
        case 'w':
            o->window = atoi(optarg);
            break;
        case 's':
            o->seconds = atoi(optarg);
            break;
        case 'p':
            o->posts_max = strtoull(optarg, NULL, 10);
            break;
        case 'W':
            o->writers = atoi(optarg);
            break;
        case 'l':
            o->payload = atoi(optarg);
            break;
        case 'S':
            o->stopped = atoi(optarg);
            break;
        case 'D':
            o->drip = atoi(optarg);
            break;
        case 'P':
            if (o->pid_count == CF_SERVERS_MAX)
                return usage("--pid may be given 8 times");
            o->pids[o->pid_count++] = atoi(optarg);
            break;
        case 'j':
            o->json_path = optarg;
            break;
        case 'L':
            o->ledger_path = optarg;
            break;
        case 'R':
            o->run = strtoull(optarg, NULL, 10);
            break;
        case 'c':
            o->connecting_max = atoi(optarg);
            break;
        case 'C':
            o->connect_limit = atoi(optarg);
            break;
        case 'd':
            o->drain_limit = atoi(optarg);
            break;
        case 'q':
            o->silence = atoi(optarg);
            break;
        case 'k':
            o->keys = false;
            break;
        case 'J':
            o->joins = false;
            break;
        case 'A':
            o->acks = false;
            break;
        case 'x':
            o->reconnect = true;
            break;
        case 'h':
            o->heed = true;
            break;
        case 'b':
            o->comeback = true;
            break;
        case 'y':
            o->copies = false;
            break;
        case 'a':
            if (!(o->dialect = cf_dialect_find(optarg)))
                return usage("--dialect must be one of those below");
            break;
        case 'o':
            o->path = optarg;
            break;
        default:
            return usage("unknown option");
        }
    }
    if (!o->targets || o->server_count == 0)
        return usage("--url and --targets are needed");
    if (o->payload < CF_PAYLOAD_MIN || o->payload > CF_PAYLOAD_MAX)
        return usage("--payload must be 32..4200");
    if (o->payload < CF_PAYLOAD_LONG && o->run >> CF_PAYLOAD_SHORT_RUN_BITS)
        return usage("--run has 48 bits at most where --payload is below 80");
    if (o->path && strlen(o->path) > CF_PATH_MAX)
        return usage("--path is too long");
    if (!o->path)
        o->path = o->dialect->path;
    if (!o->dialect->numbered && (o->reconnect || o->stopped || o->drip))
        return usage("--reconnect, --stopped and --drip go with confab alone");
    if (!o->dialect->numbered)
        o->acks = o->joins = o->keys = false;
    if (o->window < 1 || o->window > CF_PENDING_MAX)
        return usage("--window must be 1..64");
    if (o->inflight && (o->reconnect || o->rate > 0 || o->stopped || o->drip))
        return usage("--inflight goes with none of --rate --reconnect --stopped --drip");
    if (o->comeback && o->reconnect)
        return usage("--comeback and --reconnect exclude each other");
    return 0;
}

/* ---- set-up */

static char *read_whole(const char *path, size_t *lines)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    long size;
    if (!file || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 ||
        fseek(file, 0, SEEK_SET) != 0 || !(text = calloc(1, (size_t)size + 1)) ||
        fread(text, 1, (size_t)size, file) != (size_t)size) {
        perror(path);
        free(text);
        text = NULL;
    }
    if (file)
        fclose(file);
    *lines = 0;
    for (const char *at = text; at && *at; at++)
        *lines += *at == '\n';
    return text;
}

/* The number behind the token, which is cut off; UINT32_MAX: there is no such server. */
static uint32_t take_server(const cf_load_t *load, char *token)
{
    char *blank = strchr(token, ' ');
    if (!blank)
        return 0;
    *blank = '\0';
    unsigned long server = strtoul(blank + 1, NULL, 10);
    return server < load->options.server_count ? (uint32_t)server : UINT32_MAX;
}

static int read_targets(cf_load_t *load)
{
    size_t lines;
    char *text = load->targets = read_whole(load->options.targets, &lines);
    if (!text || lines == 0 || !(load->clients = cf_conn_reserve(lines * sizeof *load->clients)) ||
        !(load->rooms = cf_conn_reserve(lines * sizeof *load->rooms)) ||
        !(load->dirty = cf_conn_reserve(lines * sizeof *load->dirty)) ||
        !(load->writers = cf_conn_reserve(lines * sizeof *load->writers)))
        return -1;
    uint8_t *in = cf_conn_reserve(lines * CF_IN_MAX), *out = cf_conn_reserve(lines * CF_OUT_MAX);
    uint8_t *part = load->options.dialect->streams ? cf_conn_reserve(lines * CF_PART_MAX) : NULL;
    const size_t ahead_words = CF_AHEAD_MAX / 64;
    uint64_t *ahead = cf_conn_reserve(lines * ahead_words * sizeof *ahead);
    if (!in || !out || !ahead || (load->options.dialect->streams && !part))
        return -1;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        cf_client_t *client = &load->clients[load->client_count];
        char *blank = strchr(line, ' ');
        uint32_t room = blank ? cf_rooms_find(load, line, (size_t)(blank - line)) : UINT32_MAX;
        uint32_t server = blank ? take_server(load, blank + 1) : UINT32_MAX;
        if (room == UINT32_MAX || server == UINT32_MAX) {
            fprintf(stderr, "%s: line %u is not 'ROOM TOKEN [SERVER]'\n", load->options.targets,
                    load->client_count + 1);
            return -1;
        }
        *client = (cf_client_t){
            .conn = {.fd = -1,
                     .epoll = load->epoll,
                     .tag = load->client_count,
                     .in = in + load->client_count * (size_t)CF_IN_MAX,
                     .out = out + load->client_count * (size_t)CF_OUT_MAX},
            .stream = {.part = part ? part + load->client_count * (size_t)CF_PART_MAX : NULL},
            .ahead = {.bits = ahead + load->client_count * ahead_words},
            .index = load->client_count,
            .room = room,
            .server = server,
            .token = blank + 1,
            .next_n = 1,
            .oldest_n = 1};
        load->rooms[room].members++;
        load->client_count++;
    }
    return 0;
}

static int choose_roles(cf_load_t *load)
{
    const cf_options_t *o = &load->options;
    uint32_t slow = (uint32_t)(o->stopped + o->drip);
    load->slow_count = slow < load->client_count ? slow : load->client_count;
    load->slow = cf_conn_reserve(load->slow_count * sizeof *load->slow);
    if (!load->slow)
        return -1;
    for (uint32_t i = 0; i < load->slow_count; i++) {
        cf_client_t *client = &load->clients[load->client_count - 1 - i];
        client->reader = i < (uint32_t)o->stopped ? CF_READER_STOPPED : CF_READER_DRIP;
        client->slow = &load->slow[i];
        client->slow->reader = client->reader;
    }
    uint32_t normal = load->client_count - load->slow_count;
    uint32_t wanted =
        o->writers < 0 || (uint32_t)o->writers > normal ? normal : (uint32_t)o->writers;
    cf_pending_t *pending = cf_conn_reserve(wanted * CF_PENDING_MAX * sizeof *pending);
    if (!pending)
        return -1;
    for (uint32_t i = 0; i < wanted; i++) {
        uint32_t index = (uint32_t)((uint64_t)i * normal / wanted);
        load->clients[index].pending = pending + (size_t)i * CF_PENDING_MAX;
        load->writers[load->writer_count++] = index;
    }
    return 0;
}

static int set_up(cf_load_t *load)
{
    cf_conn_raise_limit();
    cf_conn_spread(SOURCES);
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    load->scratch = cf_conn_reserve(CF_SCRATCH_MAX);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = TIMER};
    if (load->epoll < 0 || load->timer < 0 || !load->scratch ||
        epoll_ctl(load->epoll, EPOLL_CTL_ADD, load->timer, &event) < 0 || read_targets(load) < 0 ||
        choose_roles(load) < 0 || cf_rooms_build(load) < 0)
        return -1;
    if (load->options.ledger_path && cf_ledger_open(&load->ledger, load->options.ledger_path) < 0)
        return -1;
    cf_ledger_add(load->ledger, "RUN %llu", (unsigned long long)load->options.run);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    return 0;
}

/* ---- the loop */

static bool post_by_turns(cf_load_t *load, int64_t due_ns)
{
    for (uint32_t tried = 0; tried < load->writer_count; tried++) {
        cf_client_t *writer = &load->clients[load->writers[load->next_writer]];
        load->next_writer = (load->next_writer + 1) % load->writer_count;
        if (cf_client_post(load, writer, due_ns))
            return true;
    }
    return false;
}

static void arm_timer(cf_load_t *load, int64_t at_ns)
{
    struct itimerspec when = {.it_value = {at_ns / SECOND_NS, at_ns % SECOND_NS}};
    timerfd_settime(load->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void post_what_is_due(cf_load_t *load)
{
    const cf_options_t *o = &load->options;
    for (;;) {
        int64_t due_ns = load->start_ns + (int64_t)((double)load->due_count / o->rate * 1e9);
        if (due_ns > load->now_ns) {
            arm_timer(load, due_ns);
            return;
        }
        if (!post_by_turns(load, due_ns)) {
            if (load->now_ns - due_ns < LATE_MAX_NS) {
                arm_timer(load, load->now_ns + 5000000);
                return;
            }
            load->counts.skipped++;
        }
        load->due_count++;
    }
}

static void post_some(cf_load_t *load)
{
    const cf_options_t *o = &load->options;
    if (load->writer_count == 0)
        return;
    if (o->rate > 0) {
        post_what_is_due(load);
    } else if (o->inflight) {
        while (load->outstanding < (uint64_t)o->inflight && post_by_turns(load, load->now_ns))
            load->outstanding++;
    } else {
        while (!(o->posts_max && load->counts.posts >= o->posts_max) &&
               post_by_turns(load, load->now_ns))
            ;
    }
}

/* Of all servers together; -1 if that of one cannot be read, or none was named. */
static int64_t sum_up(const cf_load_t *load, int64_t (*of)(pid_t pid))
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < load->options.pid_count; i++) {
        int64_t one = of(load->options.pids[i]);
        if (one < 0)
            return -1;
        sum += one;
    }
    return load->options.pid_count ? sum : -1;
}

static void do_chores(cf_load_t *load)
{
    for (uint32_t i = 0; i < load->client_count; i++) {
        cf_client_t *client = &load->clients[i];
        bool comes_back = client->attempts > 0; /* the first connect is connect_all()'s */
        if (client->state == CF_CLIENT_AWAY && comes_back && load->now_ns >= client->retry_ns &&
            load->connecting < (uint32_t)load->options.connecting_max)
            cf_client_connect(load, client);
        else if (client->resend_ns && load->now_ns >= client->resend_ns)
            cf_client_resend(load, client);
        else if (client->reader == CF_READER_DRIP && client->state == CF_CLIENT_READY &&
                 load->now_ns >= client->next_drip_ns)
            cf_client_drip(load, client);
        cf_client_end_silent(load, client);
    }
    int second = load->measuring ? (int)((load->now_ns - load->start_ns) / SECOND_NS) : -1;
    if (load->options.pid_count && second >= load->rss_count &&
        load->rss_count < (int)(sizeof load->rss_kib / sizeof load->rss_kib[0]))
        load->rss_kib[load->rss_count++] = sum_up(load, cf_process_rss_kib);
}

/* Every other one of those that have stopped. */
static void wake_some(cf_load_t *load)
{
    wake = 0;
    for (uint32_t i = 0; i < load->slow_count; i += 2)
        if (load->slow[i].reader == CF_READER_STOPPED)
            cf_client_wake(&load->clients[load->client_count - 1 - i]);
}

/* One pass: wait, read, post, and only then send what was gathered. */
static void turn(cf_load_t *load)
{
    static int64_t next_chores_ns;
    static struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(load->epoll, events, EVENTS_MAX, CHORES_NS / 1000000);
    load->now_ns = cf_now_ns();
    for (int i = 0; i < n; i++) {
        uint64_t ticks;
        if (events[i].data.u32 != TIMER)
            cf_client_on_event(load, &load->clients[events[i].data.u32], events[i].events);
        else if (read(load->timer, &ticks, sizeof ticks) < 0 && errno != EAGAIN)
            perror("timer");
    }
    load->now_ns = cf_now_ns();
    if (load->now_ns >= next_chores_ns) {
        do_chores(load);
        next_chores_ns = load->now_ns + CHORES_NS;
    }
    if (wake)
        wake_some(load);
    if (load->posting)
        post_some(load);
    for (uint32_t i = 0; i < load->dirty_count; i++)
        cf_client_flush(&load->clients[load->dirty[i]]);
    load->dirty_count = 0;
}

/* ---- phases */

static bool connect_all(cf_load_t *load)
{
    int64_t cpu_ns = sum_up(load, cf_process_cpu_ns);
    if (load->options.pid_count)
        load->rss_before_kib = sum_up(load, cf_process_rss_kib);
    int64_t begun_ns = load->now_ns = cf_now_ns(),
            limit_ns = begun_ns + load->options.connect_limit * SECOND_NS;
    uint32_t next = 0;
    while (load->ready < load->client_count && load->now_ns < limit_ns && !interrupted) {
        while (next < load->client_count &&
               load->connecting < (uint32_t)load->options.connecting_max)
            cf_client_connect(load, &load->clients[next++]);
        turn(load);
        if (load->connecting == 0 && next == load->client_count && !load->options.reconnect)
            break;
    }
    load->connect_ns = load->now_ns - begun_ns;
    load->connect_cpu_ns = cpu_ns < 0 ? -1 : sum_up(load, cf_process_cpu_ns) - cpu_ns;
    double seconds = (double)load->connect_ns / 1e9;
    printf("%s: %u of %u clients in %u rooms after %.2f s, %.0f a second\n", load->options.name,
           load->ready, load->client_count, load->room_count, seconds, load->ready / seconds);
    fflush(stdout);
    return load->ready == load->client_count;
}

static int64_t own_cpu_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * SECOND_NS + used.tv_nsec;
}

static void settle(cf_load_t *load)
{
    int64_t until_ns = load->now_ns + SETTLE_NS;
    while (load->now_ns < until_ns && !interrupted)
        turn(load);
    for (uint32_t i = 0; i < load->client_count; i++) {
        cf_client_t *client = &load->clients[i];
        client->whole = client->state == CF_CLIENT_READY && client->reader == CF_READER_NORMAL;
        load->rooms[client->room].whole_members += client->whole;
    }
}

/* Everyone was cut off or told to go, and none comes back. */
static bool all_gone(const cf_load_t *load)
{
    return load->ready == 0 && load->connecting == 0 && !load->options.reconnect;
}

/* Nothing is left that could still happen: a writer waits for a copy that does not come. */
static bool is_stalled(const cf_load_t *load)
{
    static uint64_t seen;
    static int64_t since_ns;
    uint64_t now = load->counts.deliveries + load->counts.acked + load->counts.posts;
    if (now != seen || since_ns == 0) {
        seen = now;
        since_ns = load->now_ns;
    }
    return load->options.rate <= 0 && !load->options.reconnect && load->writer_count > 0 &&
           load->now_ns - since_ns > STALL_NS;
}

static void measure(cf_load_t *load)
{
    const cf_options_t *o = &load->options;
    load->start_ns = load->now_ns = cf_now_ns();
    load->measuring = load->posting = true;
    load->cpu_start_ns = sum_up(load, cf_process_cpu_ns);
    int64_t own_start_ns = own_cpu_ns(), until_ns = load->start_ns + o->seconds * SECOND_NS;
    uint64_t deliveries = load->counts.deliveries, acked = load->counts.acked;
    if (o->rate > 0)
        arm_timer(load, load->start_ns + 1);
    post_some(load);
    while (load->now_ns < until_ns && !interrupted && !all_gone(load) && !is_stalled(load) &&
           !(o->posts_max && load->counts.posts >= o->posts_max))
        turn(load);
    load->posting = false;
    load->stop_ns = load->now_ns;
    load->measured_ns = load->stop_ns - load->start_ns;
    load->measured_deliveries = load->counts.deliveries - deliveries;
    load->measured_acked = load->counts.acked - acked;
    load->cpu_stop_ns = sum_up(load, cf_process_cpu_ns);
    load->own_cpu_ns = own_cpu_ns() - own_start_ns;
}

static bool are_all_back(const cf_load_t *load)
{
    for (uint32_t i = 0; i < load->slow_count; i++)
        if (load->slow[i].code && !load->slow[i].back_seq)
            return false;
    return true;
}

/* Whose connection has ended comes back, as an ordinary reader, and posts go on until each has got one. */
static void come_back(cf_load_t *load)
{
    int64_t limit_ns = load->now_ns + load->options.connect_limit * SECOND_NS;
    interrupted = 0; /* that ended the measuring */
    for (uint32_t i = 0; i < load->slow_count; i++) {
        cf_client_t *client = &load->clients[load->client_count - 1 - i];
        if (load->slow[i].code == 0)
            continue;
        client->reader = CF_READER_NORMAL;
        client->state = CF_CLIENT_AWAY;
        client->retry_ns = load->now_ns;
    }
    load->posting = true;
    while (!are_all_back(load) && load->now_ns < limit_ns && !interrupted)
        turn(load);
    load->posting = false;
}

static bool all_arrived(const cf_load_t *load)
{
    for (uint32_t i = 0; i < load->client_count; i++) {
        const cf_client_t *client = &load->clients[i];
        const cf_room_t *room = &load->rooms[client->room];
        if (client->unacked ||
            (client->whole && cf_order_missing(&room->order, client->last_seq)) ||
            (client->state == CF_CLIENT_READY && client->reader == CF_READER_NORMAL &&
             client->last_seq && client->last_seq != room->order.last_seq) ||
            (load->options.reconnect && client->state < CF_CLIENT_READY))
            return false;
    }
    return true;
}

static void drain(cf_load_t *load)
{
    int64_t limit_ns = load->now_ns + load->options.drain_limit * SECOND_NS;
    while (!all_arrived(load) && load->now_ns < limit_ns)
        turn(load);
    /* What should not come (a second copy, a post nobody was told of) would come now. */
    for (int64_t until_ns = load->now_ns + SECOND_NS / 2; load->now_ns < until_ns;)
        turn(load);
}

/* What is mapped ends with the process; these would be taken for leaks, as nothing looks for
 * pointers in a mapping. */
static void tear_down(cf_load_t *load)
{
    for (uint32_t i = 0; load->rooms && i < load->room_count; i++)
        cf_order_free(&load->rooms[i].order);
    for (uint32_t i = 0; i < load->client_count; i++)
        cf_conn_close(&load->clients[i].conn);
    free(load->targets);
    cf_ledger_close(&load->ledger);
}

static int run(cf_load_t *load)
{
    if (set_up(load) < 0) {
        fprintf(stderr, "load: cannot set up: %s\n", strerror(errno));
        return 1;
    }
    bool connected = connect_all(load);
    if (!connected && !load->options.reconnect) {
        fprintf(stderr, "load: not all clients could connect\n");
        cf_report(load);
        return 3;
    }
    settle(load);
    measure(load);
    if (load->options.comeback)
        come_back(load);
    drain(load);
    cf_rooms_finish(load);
    return cf_report(load) ? 0 : 1;
}

int main(int argc, char **argv)
{
    static cf_load_t load;
    int rc = read_options(&load.options, argc, argv);
    if (rc != 0)
        return rc;
    rc = run(&load);
    tear_down(&load);
    return rc;
}
