/* One end of a link to another node, and bytes that say what happens to it: something is put, time passes, a frame
 * comes, any bytes or one that is nearly right. What it hands on comes in order, each once; what it keeps stays within
 * its bound; what it sends is well-formed. */
#include "link/reliable.h"

#include "err.h"
#include "little_endian.h"
#include "wire/msg.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define BYTES_MAX 4096

static cf_reliable_t *end;
static int64_t now_us;
static uint64_t handed_on; /* number of the last body */

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void put(const uint8_t *bytes, size_t size)
{
    if (size > 0) {
        int rc = cf_reliable_put(end, bytes, size);
        check(rc == 0 || rc == CF_EFULL);
    }
    check(cf_reliable_bytes(end) <= BYTES_MAX);
}

static void send_all(void)
{
    const uint8_t *frame;
    size_t size;
    for (int i = 0; i < 1000 && cf_reliable_next(end, now_us, &frame, &size); i++) {
        check(size >= CF_RELIABLE_HEAD && cf_get_le32(frame + 4) == size - CF_RELIABLE_HEAD);
        check((frame[2] == 1) == (cf_get_le64(frame + 16) > 0));
        check(cf_get_le64(frame + 24) == handed_on);
        cf_reliable_sent(end, now_us);
    }
    check(!cf_reliable_next(end, now_us, &frame, &size)); /* it comes to an end */
}

static void read_frame(const uint8_t *bytes, size_t size)
{
    const uint8_t *body;
    size_t body_size;
    uint8_t *copy = malloc(size + 1); /* a block of its own: any step beyond it is seen */
    memcpy(copy, bytes, size);
    int rc = cf_reliable_read(end, copy, size, now_us, &body, &body_size);
    check(rc == 1 || rc == 0 || rc == CF_EPROTO);
    if (rc == 1) {
        check(body == copy + CF_RELIABLE_HEAD && body_size == size - CF_RELIABLE_HEAD &&
              body_size > 0);
        check(cf_get_le64(copy + 16) == handed_on + 1);
        handed_on++;
    }
    free(copy);
}

/* kind, number and what is read from one byte each, and a body of the rest. */
static void read_nearly_right(const uint8_t *bytes, size_t size)
{
    uint8_t frame[CF_RELIABLE_HEAD + 256] = {1, CF_MSG_VERSION};
    if (size < 3)
        return;
    frame[2] = bytes[0] % 5;
    cf_put_le32(frame + 4, (uint32_t)size - 3);
    cf_put_le32(frame + 8, 2);
    cf_put_le32(frame + 12, 1);
    cf_put_le64(frame + 16, bytes[1]);
    cf_put_le64(frame + 24, bytes[2]);
    memcpy(frame + CF_RELIABLE_HEAD, bytes + 3, size - 3);
    read_frame(frame, CF_RELIABLE_HEAD + size - 3);
}

/* What happens: a byte that says what, one that says how many bytes it has, and those. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    cf_reliable_config_t config = {.me = 1,
                                   .peer = 2,
                                   .bytes_max = BYTES_MAX,
                                   .again_us = 500000,
                                   .confirm_us = 20000,
                                   .idle_us = 1000000};
    now_us = 5000000;
    handed_on = 0;
    if (cf_reliable_new(&end, &config, now_us) < 0)
        return 0;
    while (size >= 2) {
        size_t n = bytes[1] < size - 2 ? bytes[1] : size - 2;
        const uint8_t *more = bytes + 2;
        switch (bytes[0] % 5) {
        case 0:
            put(more, n);
            break;
        case 1:
            now_us += (int64_t)bytes[1] * 10000;
            n = 0;
            break;
        case 2:
            read_frame(more, n);
            break;
        case 3:
            read_nearly_right(more, n);
            break;
        case 4:
            send_all();
            n = 0;
            break;
        }
        bytes = more + n;
        size -= 2 + n;
    }
    cf_reliable_destroy(&end);
    return 0;
}
