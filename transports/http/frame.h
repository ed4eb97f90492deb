/* transports/http/frame.h: what is inside a cf_frame_t (see server.h): the finished bytes of one
 * WebSocket frame, or of several in a row, headers included, shared by every connection that is to get it. */
#ifndef CF_FRAME_H
#define CF_FRAME_H

#include "server.h"

#define CF_FRAME_CLOSE_REASON_MAX                                                                  \
    123 /* RFC 6455, 5.5: a control frame carries at most 125 bytes                                \
         */

struct cf_frame {
    uint32_t references;
    uint32_t size; /* bytes below */
    uint8_t bytes[];
};

/* A Ping with one byte of payload. NULL: out of memory. */
cf_frame_t *cf_frame_new_ping(void);
/* A Close. code 0: without a payload; reason NULL: none; cut to CF_FRAME_CLOSE_REASON_MAX bytes at
 * a code point. */
cf_frame_t *cf_frame_new_close(int code, const char *reason);

#endif
