#include "socket_client.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define HANDSHAKE                                                                                  \
    "Host: test.local\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"                            \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"

char client_head[16384], client_body[65536];
static char message[65536];

int client_dial(int port)
{
    struct timeval limit = {CLIENT_WAIT_MS / 1000, 0};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    int at_once =
        1; /* what was said is there, and does not wait for an acknowledgement of what was before */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    return fd;
}

static void put_bytes(int fd, const void *bytes, size_t size)
{
    cr_assert(send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size);
}

void client_put(int fd, const char *text)
{
    put_bytes(fd, text, strlen(text));
}

/* false: the other side has closed. */
static bool get_bytes(int fd, void *out, size_t size)
{
    for (size_t got = 0; got < size;) {
        ssize_t n = recv(fd, (char *)out + got, size - got, 0);
        if (n == 0)
            return false;
        if (n < 0)
            return false; /* reset, or out of time: the caller's assertion says what it wanted */
        got += (size_t)n;
    }
    return true;
}

int client_answer(int fd)
{
    size_t used = 0;
    client_head[0] = client_body[0] = '\0';
    while (used + 1 < sizeof client_head && !strstr(client_head, "\r\n\r\n")) {
        if (!get_bytes(fd, client_head + used, 1))
            return -1;
        client_head[++used] = '\0';
    }
    int status = atoi(client_head + 9);
    char *length = strcasestr(client_head, "\r\ncontent-length:");
    size_t size = status == 101 || !length ? 0 : (size_t)atol(length + 17);
    cr_assert(size < sizeof client_body && get_bytes(fd, client_body, size));
    client_body[size] = '\0';
    return status;
}

int client_ask(int port, const char *method, const char *path, const char *headers,
               const char *body)
{
    int fd = client_dial(port);
    char head[2048];
    snprintf(head, sizeof head,
             "%s %s HTTP/1.1\r\nHost: test.local\r\n%sContent-Length: %zu\r\n\r\n", method, path,
             headers, strlen(body));
    client_put(fd, head);
    client_put(fd, body);
    int status = client_answer(fd);
    close(fd);
    return status;
}

void client_ask_upgrade(int fd, const char *path, const char *headers)
{
    char head[2048];
    snprintf(head, sizeof head, "GET %s HTTP/1.1\r\n" HANDSHAKE "%s\r\n", path, headers);
    client_put(fd, head);
}

void client_say(int fd, const char *text)
{
    static uint8_t frame[65536];
    size_t size = strlen(text), at = 0;
    cr_assert(size + 8 <= sizeof frame && size < 65536);
    frame[at++] = 0x81;
    if (size < 126) {
        frame[at++] = (uint8_t)(0x80 | size);
    } else {
        frame[at++] = 0x80 | 126;
        frame[at++] = (uint8_t)(size >> 8);
        frame[at++] = (uint8_t)size;
    }
    memset(frame + at, 0, 4); /* a mask that changes nothing */
    memcpy(frame + at + 4, text, size);
    put_bytes(fd, frame, at + 4 + size);
}

char *client_heard(int fd)
{
    for (;;) {
        uint8_t head[2], more[2];
        if (!get_bytes(fd, head, 2))
            return strcpy(message, "end");
        size_t size = head[1] & 0x7f;
        if (size == 126 && get_bytes(fd, more, 2))
            size = (size_t)more[0] << 8 | more[1];
        cr_assert(size < sizeof message - 32);
        uint8_t payload[sizeof message];
        if (!get_bytes(fd, payload, size))
            return strcpy(message, "end");
        payload[size] = '\0';
        int opcode = head[0] & 0x0f;
        if (opcode == 9 || opcode == 10)
            continue;
        if (opcode != 8)
            return strcpy(message, (char *)payload);
        unsigned code = size >= 2 ? (unsigned)payload[0] << 8 | payload[1] : 1005;
        snprintf(message, sizeof message, "close %u %.100s", code,
                 size > 2 ? (char *)payload + 2 : "");
        return message;
    }
}

char *client_heard_type(int fd, const char *type)
{
    char member[64];
    snprintf(member, sizeof member, "\"type\":\"%s\"", type);
    for (;;) {
        char *heard = client_heard(fd);
        if (strstr(heard, member) || heard[0] != '{')
            return heard;
    }
}
