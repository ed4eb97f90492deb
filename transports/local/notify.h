/* local/notify.h: what the service manager is told, systemd or another that speaks as it does: sd_notify(3).
 *
 * Datagrams of text to the socket that NOTIFY_SOCKET names. Where that is not set nobody wants to know, and all of it does
 * nothing. Its own lines instead of libsystemd's: that would bring five more libraries, of compression and cryptography, into the
 * process for one sendto(2); the manual of sd_notify gives the protocol to be spoken without it, and promises to keep it. */
#ifndef CF_NOTIFY_H
#define CF_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#define CF_NOTIFY_TEXT_MAX 512 /* bytes of what is said at once, with NUL */

typedef struct {
    int socket; /* -1: nobody wants to know */
    struct sockaddr_un
        address; /* of whoever does, for each message anew: it may be another one's by then */
    uint32_t address_size;
    int64_t watchdog_us; /* so often at least it wants to hear that we live; 0: it does not */
    bool owes;           /* text was not taken, as its queue was full */
    char text[CF_NOTIFY_TEXT_MAX];
} cf_notify_t;

/* The three are the values of NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, or NULL where there is none. Returns 0, also when nobody
 * wants to know; CF_ERANGE if the socket's name is none, or has too many bytes; CF_EIO if there are no descriptors. After an error it is
 * as if nobody wanted to know. */
int cf_notify_open(cf_notify_t *out, const char *socket, const char *watchdog_us,
                   const char *watchdog_pid);
void cf_notify_close(cf_notify_t *self);

/* Says this, assignments of sd_notify(3) one a line, formatted as by printf(3), and never waits. What is not taken is owed; it takes the
 * place of what was owed before, as the newest is what counts. */
void cf_notify_say(cf_notify_t *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Says what is owed. */
void cf_notify_again(cf_notify_t *self);
/* That we live; never owed. */
void cf_notify_alive(cf_notify_t *self);

#endif
