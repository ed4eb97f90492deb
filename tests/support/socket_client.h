/* tests/support/socket_client.h: a client of the server under test, on a blocking loopback socket.
 * Waiting ends after CLIENT_WAIT_MS and fails the test. */
#ifndef CF_SOCKET_CLIENT_H
#define CF_SOCKET_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#define CLIENT_WAIT_MS 20000

extern char client_head[16384], client_body[65536]; /* of the latest answer */

int client_dial(int port);
void client_put(int fd, const char *text);
/* Reads one HTTP answer; its status. 101 has no body. */
int client_answer(int fd);
/* The request on a connection of its own. headers: whole lines or "". */
int client_ask(int port, const char *method, const char *path, const char *headers,
               const char *body);
void client_ask_upgrade(int fd, const char *path, const char *headers);

/* A masked text frame. */
void client_say(int fd, const char *text);
/* The next message: its text; "close CODE REASON"; "end" when the connection is closed. Pings are
 * passed over. */
char *client_heard(int fd);
/* The same, skipping messages of other types than this; NULL: the next of any. */
char *client_heard_type(int fd, const char *type);

#endif
