/* The socket in the file system: who gets it, who is let in, what is bounded. */
#include "local/local_server.h"

#include "clock.h"
#include "err.h"
#include "local/local_client.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_US INT64_C(20000000)
#define NOBODY 65534

static char folder[64], path[CF_LOCAL_PATH_MAX + 1];
static cf_local_server_t *server;
static int64_t now_us;
static uint64_t last_client;
static size_t last_size;
static int packets, refused;

static void open_folder(void)
{
    strcpy(folder, "/tmp/cf_local_XXXXXX");
    cr_assert(ne(ptr, mkdtemp(folder), NULL));
    snprintf(path, sizeof path, "%s/s", folder);
}

static void close_folder(void)
{
    char command[128];
    cf_local_server_close(&server);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert(eq(int, system(command), 0));
}

static void on_packet(void *arg, uint64_t client, const uint8_t *bytes, size_t size)
{
    (void)arg, (void)bytes;
    last_client = client;
    last_size = size;
    packets++;
}

static void on_too_many(void *arg, uint64_t client)
{
    (void)arg;
    refused++;
    cf_local_server_send(server, now_us, client, (const uint8_t *)"no", 2);
}

static void serve(void)
{
    struct pollfd one = {.fd = cf_local_server_fd(server), .events = POLLIN};
    while (poll(&one, 1, 0) == 1)
        cf_local_server_serve(server, now_us, &(cf_local_hooks_t){on_packet, on_too_many, NULL});
}

static void open_server(void)
{
    cr_assert(eq(int, cf_local_server_open(&server, path), 0));
}

static int come(void)
{
    int fd = cf_local_client_connect(path);
    cr_assert(ge(int, fd, 0));
    return fd;
}

static int say(int fd, size_t size)
{
    static uint8_t bytes[2 * CF_LOCAL_PACKET_MAX];
    int rc = cf_local_client_send(fd, bytes, size, cf_boot_us() + WAIT_US);
    serve();
    return rc;
}

static int hear(int fd)
{
    uint8_t bytes[16];
    return cf_local_client_receive(fd, bytes, sizeof bytes, cf_boot_us() + WAIT_US);
}

TestSuite(local, .init = open_folder, .fini = close_folder, .timeout = 60);

Test(local, a_packet_comes_as_it_was_sent_and_its_answer_goes_back)
{
    open_server();
    int fd = come();
    cr_assert(eq(int, say(fd, 5), 5));
    cr_assert(eq(int, packets, 1));
    cr_assert(eq(sz, last_size, 5));
    cr_assert(
        eq(int, cf_local_server_send(server, now_us, last_client, (const uint8_t *)"abc", 3), 0));
    cr_assert(eq(int, hear(fd), 3));
    close(fd);
    serve();
    cr_assert(eq(u32, cf_local_server_clients(server), 0));
    cr_assert(eq(int, cf_local_server_send(server, now_us, last_client, (const uint8_t *)"abc", 3),
                 CF_ENOENT));
}

Test(local, a_packet_at_the_bound_is_whole_and_one_beyond_it_shows)
{
    open_server();
    int fd = come();
    say(fd, CF_LOCAL_PACKET_MAX);
    cr_assert(eq(sz, last_size, CF_LOCAL_PACKET_MAX));
    say(fd, 2 * CF_LOCAL_PACKET_MAX);
    cr_assert(eq(sz, last_size, CF_LOCAL_PACKET_MAX + 1));
    cr_assert(eq(int, packets, 2)); /* the rest of it is no packet of its own */
    close(fd);
}

Test(local, the_file_is_of_this_user_alone_whatever_the_umask)
{
    struct stat file;
    umask(0);
    open_server();
    cr_assert(eq(int, stat(path, &file), 0));
    cr_assert(eq(u32, file.st_mode, S_IFSOCK | 0600));
}

Test(local, another_user_cannot_connect)
{
    if (geteuid() != 0)
        cr_skip_test("only root can become another user");
    open_server();
    cr_assert(eq(int, chmod(folder, 0755), 0)); /* the folder lets everybody through */
    pid_t child = fork();
    if (child == 0)
        _exit(setgid(NOBODY) == 0 && setuid(NOBODY) == 0 ? -cf_local_client_connect(path) : 100);
    int status;
    cr_assert(eq(int, waitpid(child, &status, 0), child));
    cr_assert(eq(int, WEXITSTATUS(status), -CF_EPERM));
}

Test(local, one_more_than_the_bound_is_told_and_closed_and_a_place_that_is_free_again_is_taken)
{
    int fds[CF_LOCAL_CLIENTS_MAX + 1];
    open_server();
    for (int i = 0; i < CF_LOCAL_CLIENTS_MAX; i++) {
        fds[i] = come();
        serve();
    }
    cr_assert(eq(int, refused, 0));
    int more = come();
    cf_local_client_send(more, (const uint8_t *)"x", 1, cf_boot_us() + WAIT_US);
    serve();
    cr_assert(eq(int, refused, 1));
    cr_assert(eq(int, packets, 0));
    cr_assert(eq(int, hear(more), 2)); /* although its packet was thrown away */
    cr_assert(eq(int, hear(more), CF_ECLOSING));
    cr_assert(eq(u32, cf_local_server_clients(server), CF_LOCAL_CLIENTS_MAX));
    close(fds[3]);
    serve();
    fds[3] = come();
    say(fds[3], 1);
    cr_assert(eq(int, packets, 1));
    cr_assert(eq(int, refused, 1));
}

Test(local, who_does_not_read_is_closed)
{
    static uint8_t answer[CF_LOCAL_ANSWER_MAX];
    int rc;
    open_server();
    int fd = come();
    say(fd, 1);
    while ((rc = cf_local_server_send(server, now_us, last_client, answer, sizeof answer)) == 0)
        ; /* the kernel's buffer has its bound */
    cr_assert(eq(int, rc, CF_EAGAIN));
    cr_assert(eq(u32, cf_local_server_clients(server), 0));
    close(fd);
}

Test(local, who_wants_nothing_is_closed_in_time_and_who_waits_is_not)
{
    open_server();
    int idle = come(), waits = come();
    serve();
    say(waits, 1);
    uint64_t waiting = last_client;
    now_us = CF_LOCAL_IDLE_US - 1;
    cr_assert(eq(i64, cf_local_server_due(server, now_us), CF_LOCAL_IDLE_US));
    cr_assert(eq(u32, cf_local_server_clients(server), 2));
    now_us++;
    cr_assert(eq(i64, cf_local_server_due(server, now_us), INT64_MAX));
    cr_assert(eq(int, hear(idle), CF_ECLOSING));
    cr_assert(eq(u32, cf_local_server_clients(server), 1));
    cr_assert(eq(int, cf_local_server_send(server, now_us, waiting, (const uint8_t *)"a", 1), 0));
    cr_assert(eq(i64, cf_local_server_due(server, now_us), now_us + CF_LOCAL_IDLE_US));
    close(idle);
    close(waits);
}

Test(local, a_living_server_keeps_its_socket)
{
    cf_local_server_t *second = NULL;
    open_server();
    cr_assert(eq(int, cf_local_server_open(&second, path), CF_EFULL));
    cr_assert(eq(ptr, second, NULL));
    say(come(), 1);
    cr_assert(eq(int, packets, 1));
}

/* A socket of somebody who knows nothing of the lock. */
static int foreign_socket(int type)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    strcpy(name.sun_path, path);
    int fd = socket(AF_UNIX, type, 0);
    cr_assert(eq(int, bind(fd, (struct sockaddr *)&name, sizeof name), 0));
    cr_assert(eq(int, listen(fd, 1), 0));
    return fd;
}

Test(local, a_foreign_living_socket_is_left_alone)
{
    int types[] = {SOCK_SEQPACKET, SOCK_STREAM};
    for (int i = 0; i < 2; i++) {
        int fd = foreign_socket(types[i]);
        cr_assert(eq(int, cf_local_server_open(&server, path), CF_EFULL));
        cr_assert(eq(int, access(path, F_OK), 0));
        close(fd);
        unlink(path);
    }
}

Test(local, what_a_dead_server_left_is_replaced)
{
    close(foreign_socket(SOCK_SEQPACKET));
    cr_assert(eq(int, access(path, F_OK), 0));
    open_server();
    say(come(), 1);
    cr_assert(eq(int, packets, 1));
}

Test(local, a_file_that_is_no_socket_is_left_alone)
{
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    cr_assert(eq(int, (int)write(fd, "precious", 8), 8));
    close(fd);
    struct stat file;
    cr_assert(eq(int, cf_local_server_open(&server, path), CF_EIO));
    cr_assert(eq(int, stat(path, &file), 0));
    cr_assert(eq(i64, file.st_size, 8));
}

Test(local, the_file_goes_with_the_server)
{
    open_server();
    cf_local_server_close(&server);
    cr_assert(eq(int, access(path, F_OK), -1));
    cr_assert(eq(int, cf_local_client_connect(path), CF_ENOENT));
    open_server();
}

Test(local, a_file_that_another_server_made_since_stays)
{
    char lock[CF_LOCAL_PATH_MAX + sizeof ".lock"];
    cf_local_server_t *other;
    snprintf(lock, sizeof lock, "%s.lock", path);
    open_server();
    cr_assert(eq(int, unlink(path), 0));
    cr_assert(eq(int, unlink(lock), 0));
    cr_assert(eq(int, cf_local_server_open(&other, path), 0));
    cf_local_server_close(&server);
    cr_assert(eq(int, access(path, F_OK), 0));
    cf_local_server_close(&other);
    cr_assert(eq(int, access(path, F_OK), -1));
}

Test(local, a_name_as_long_as_may_be_is_taken_and_a_longer_one_refused)
{
    char longer[CF_LOCAL_PATH_MAX + 2];
    size_t size = strlen(path);
    memset(path + size, 'x', CF_LOCAL_PATH_MAX - size);
    path[CF_LOCAL_PATH_MAX] = '\0';
    open_server();
    say(come(), 1);
    cr_assert(eq(int, packets, 1));
    cf_local_server_close(&server);
    snprintf(longer, sizeof longer, "%sx", path);
    cr_assert(eq(int, cf_local_server_open(&server, longer), CF_ERANGE));
    cr_assert(eq(int, cf_local_client_connect(longer), CF_ERANGE));
}
