/* bench/ceiling_send: what the kernel alone costs. A bare epoll server that does nothing for a post
 * but one send(2) of a prebuilt frame to each member of the room; no rights, no order to keep, no
 * store, no ack. confab's CPU per delivery and latency are shown beside it.
 *
 *     ceiling_send [--coalesce]     prints "serving http://127.0.0.1:PORT"; ends on SIGTERM
 *
 * --coalesce: all frames that one epoll round brings for a room go to a member in one send. The
 * room is the path of the upgrade. Frames are of the length confab renders. */
#include "frame.h"
#include "payload.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MEMBERS_MAX 20000
#define SLOTS 32768 /* of the table of rooms */
#define PATH_MAX_BYTES 96
#define IN_MAX 16384
#define ROUND_MAX (256 * 1024)
#define BACKLOG_MAX (4 * 1024 * 1024)
#define EVENTS_MAX 512

typedef struct room {
    char path[PATH_MAX_BYTES];
    int *members; /* descriptors */
    int count, capacity;
    uint64_t seq;
    uint8_t *round; /* frames not yet sent in this epoll round; ROUND_MAX, made at the first post */
    size_t round_size;
    bool dirty;
} room_t;

typedef struct {
    room_t *room;
    uint8_t *in; /* a frame that is not there completely; IN_MAX, while there is one */
    size_t in_size;
    uint8_t *backlog; /* what the kernel did not take; BACKLOG_MAX, made at the first need */
    size_t backlog_size;
} member_t;

static room_t rooms[MEMBERS_MAX], *slots[SLOTS]; /* by path; the next free slot at a clash */
static int room_count;
static room_t *dirty_rooms[MEMBERS_MAX];
static int dirty_count;
static member_t *member_of[MEMBERS_MAX + 64]; /* by descriptor */
static bool coalesce;
static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    stopping = number;
}

static void leave(int epoll, int fd)
{
    member_t *member = member_of[fd];
    room_t *room = member->room;
    for (int i = 0; room && i < room->count; i++)
        if (room->members[i] == fd)
            room->members[i--] = room->members[--room->count];
    epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
    close(fd);
    free(member->backlog);
    free(member->in);
    free(member);
    member_of[fd] = NULL;
}

static void watch_writing(int epoll, int fd, bool on)
{
    struct epoll_event event = {.events = EPOLLIN | (on ? EPOLLOUT : 0), .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

static void send_to(int epoll, int fd, const uint8_t *bytes, size_t size)
{
    member_t *member = member_of[fd];
    ssize_t sent = member->backlog_size ? 0 : send(fd, bytes, size, MSG_NOSIGNAL);
    if (sent == (ssize_t)size)
        return;
    sent = sent < 0 ? 0 : sent;
    if (!member->backlog && !(member->backlog = malloc(BACKLOG_MAX)))
        exit(1);
    if (member->backlog_size + size - (size_t)sent > BACKLOG_MAX)
        return; /* the load generator reports it as loss: the ceiling was run beyond itself */
    memcpy(member->backlog + member->backlog_size, bytes + sent, size - (size_t)sent);
    if (member->backlog_size == 0)
        watch_writing(epoll, fd, true);
    member->backlog_size += size - (size_t)sent;
}

static void send_backlog(int epoll, int fd)
{
    member_t *member = member_of[fd];
    ssize_t sent = send(fd, member->backlog, member->backlog_size, MSG_NOSIGNAL);
    if (sent <= 0)
        return;
    member->backlog_size -= (size_t)sent;
    memmove(member->backlog, member->backlog + sent, member->backlog_size);
    if (member->backlog_size == 0)
        watch_writing(epoll, fd, false);
}

static void flush_room(int epoll, room_t *room)
{
    for (int i = 0; i < room->count; i++)
        send_to(epoll, room->members[i], room->round, room->round_size);
    room->round_size = 0;
    room->dirty = false;
}

static void on_post(int epoll, room_t *room, const char *json, size_t size)
{
    cf_members_t members;
    char text[IN_MAX + 512];
    if (!cf_members_read(&members, json, size))
        return;
    if (!room->round && !(room->round = malloc(ROUND_MAX)))
        exit(1);
    int length = snprintf(text, sizeof text,
                          "{\"type\":\"chat_message\",\"id\":\"00000000-0000-4000-8000-%012" PRIx64
                          "\",\"user_id\":\"00000000-0000-4000-8000-000000000000\",\"username\":"
                          "\"load000000\",\"content\":\"%.*s\","
                          "\"is_bot\":false,\"created_at\":\"2026-01-28T10:30:00.123456Z\","
                          "\"chatroom_id\":\"%.36s\",\"seq\":%" PRIu64 "}",
                          room->seq + 1, (int)members.content.size, members.content.at,
                          room->path + strlen("/ws/chat/"), room->seq + 1);
    if (length < 0 || (size_t)length >= sizeof text)
        return; /* longer than anything that was read */
    if (room->round_size + (size_t)length + CF_FRAME_HEAD_MAX > ROUND_MAX)
        flush_room(epoll, room);
    room->seq++;
    room->round_size +=
        cf_ws_write(room->round + room->round_size, CF_OP_TEXT, text, (size_t)length, NULL);
    if (!coalesce) {
        flush_room(epoll, room);
    } else if (!room->dirty) {
        room->dirty = true;
        dirty_rooms[dirty_count++] = room;
    }
}

static room_t *room_at(const char *path, size_t size)
{
    uint32_t slot = cf_crc32(path, size) % SLOTS;
    for (; slots[slot]; slot = (slot + 1) % SLOTS)
        if (strlen(slots[slot]->path) == size && memcmp(slots[slot]->path, path, size) == 0)
            return slots[slot];
    if (size >= PATH_MAX_BYTES || room_count == MEMBERS_MAX)
        return NULL;
    slots[slot] = &rooms[room_count++];
    memcpy(slots[slot]->path, path, size);
    return slots[slot];
}

static bool join(int fd, const char *head)
{
    const char *path = head + strlen("GET ");
    const char *blank = strchr(path, ' ');
    room_t *room = blank ? room_at(path, (size_t)(blank - path)) : NULL;
    if (!room)
        return false;
    if (room->count == room->capacity) {
        room->capacity = room->capacity ? room->capacity * 2 : 16;
        int *more = realloc(room->members, (size_t)room->capacity * sizeof *more);
        if (!more)
            return false;
        room->members = more;
    }
    room->members[room->count++] = fd;
    member_of[fd]->room = room;
    /* the load generator always sends the key of RFC 6455's example, so its answer is known */
    static const char answer[] =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Accept: " CF_WS_ACCEPT "\r\n\r\n";
    return send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL) == (ssize_t)sizeof answer - 1;
}

/* Handles what is whole of these bytes; how many it used, or -1: the connection is to be closed. */
static ssize_t take_bytes(int epoll, int fd, uint8_t *bytes, size_t size)
{
    member_t *member = member_of[fd];
    size_t at = 0;
    if (!member->room) {
        uint8_t *end = memmem(bytes, size, "\r\n\r\n", 4);
        if (!end)
            return 0;
        *end = '\0';
        if (!join(fd, (char *)bytes))
            return -1;
        at = (size_t)(end + 4 - bytes);
    }
    cf_ws_frame_t frame;
    int rc;
    while ((rc = cf_ws_read(&frame, bytes + at, size - at)) > 0) {
        uint8_t *payload = bytes + at + (frame.whole - frame.size);
        if (frame.masked)
            cf_ws_unmask(payload, frame.size, frame.mask);
        if (frame.opcode == CF_OP_CLOSE)
            return -1;
        if (frame.opcode == CF_OP_TEXT)
            on_post(epoll, member->room, (char *)payload, frame.size);
        at += frame.whole;
    }
    return rc < 0 ? -1 : (ssize_t)at;
}

/* Keeps what is no whole frame yet, so that who is idle costs no buffer. False: it is too long. */
static bool keep(member_t *member, const uint8_t *bytes, size_t size)
{
    member->in_size = size;
    if (size == 0) {
        free(member->in);
        member->in = NULL;
        return true;
    }
    if (size == IN_MAX || (!member->in && !(member->in = malloc(IN_MAX))))
        return false;
    memcpy(member->in, bytes, size);
    return true;
}

static void on_readable(int epoll, int fd)
{
    static uint8_t bytes[IN_MAX];
    member_t *member = member_of[fd];
    if (member->in_size)
        memcpy(bytes, member->in, member->in_size);
    ssize_t got = recv(fd, bytes + member->in_size, IN_MAX - member->in_size, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    size_t size = member->in_size + (got > 0 ? (size_t)got : 0);
    ssize_t used = got > 0 ? take_bytes(epoll, fd, bytes, size) : -1;
    if (used < 0 || !keep(member, bytes + used, size - (size_t)used))
        leave(epoll, fd);
}

static void accept_all(int epoll, int listener)
{
    for (int fd, on = 1; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        member_t *member =
            fd < (int)(sizeof member_of / sizeof member_of[0]) ? malloc(sizeof *member) : NULL;
        if (!member) {
            close(fd);
            continue;
        }
        *member = (member_t){0};
        member_of[fd] = member;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static int listen_somewhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 4096) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        return -1;
    printf("serving http://127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    coalesce = argc > 1 && strcmp(argv[1], "--coalesce") == 0;
    if (argc > 2 || (argc == 2 && !coalesce)) {
        fprintf(stderr, "usage: ceiling_send [--coalesce]\n");
        return 2;
    }
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    int listener = listen_somewhere(), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    if (listener < 0 || epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0) {
        perror("ceiling_send");
        return 1;
    }
    static struct epoll_event events[EVENTS_MAX];
    while (!stopping) {
        int n = epoll_wait(epoll, events, EVENTS_MAX, 1000);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                accept_all(epoll, listener);
            if (fd != listener && member_of[fd] && events[i].events & EPOLLOUT)
                send_backlog(epoll, fd);
            if (fd != listener && member_of[fd] && events[i].events & ~(uint32_t)EPOLLOUT)
                on_readable(epoll, fd);
        }
        for (int i = 0; i < dirty_count; i++)
            flush_room(epoll, dirty_rooms[i]);
        dirty_count = 0;
    }
    return 0;
}
