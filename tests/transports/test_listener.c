/* The listener by itself: what its connections are like. */
#include "http/listener.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

TestSuite(listener, .timeout = 30);

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    cr_assert(eq(int, getsockopt(fd, level, name, &value, &size), 0));
    return value;
}

Test(listener, every_connection_has_the_buffers_it_is_told_and_they_stay)
{
    cf_listener_t listener;
    cf_socket_buffers_t buffers = {.send_bytes = 40000, .receive_bytes = 50000};
    cr_assert(eq(int, cf_listener_bind(&listener, "127.0.0.1:0", false, buffers), 0));
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)listener.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(eq(int, connect(client, (struct sockaddr *)&to, sizeof to), 0));
    int served = accept(listener.fd, NULL, NULL);
    cr_assert(ge(int, served, 0));
    static char bytes[1 << 20], in[1 << 16];
    for (size_t sent = 0;
         sent < (64u << 20);) { /* read as it comes: then Linux would let it grow */
        ssize_t n = send(client, bytes, sizeof bytes, MSG_DONTWAIT), got;
        sent += n > 0 ? (size_t)n : 0;
        while ((got = recv(served, in, sizeof in, MSG_DONTWAIT)) > 0)
            ;
    }
    cr_assert(eq(int, option(served, SOL_SOCKET, SO_SNDBUF), 2 * buffers.send_bytes));
    cr_assert(eq(int, option(served, SOL_SOCKET, SO_RCVBUF), 2 * buffers.receive_bytes));
    cr_assert(ne(int, option(served, IPPROTO_TCP, TCP_NODELAY), 0));
    close(served);
    close(client);
    close(listener.fd);
    close(listener.spare_fd);
}
