#include "http/traceparent.h"

#include <sodium.h>
#include <string.h>

/* version "-" trace-id "-" parent-id "-" flags; what later versions add comes behind another dash */
enum { VERSION = 3, TRACE = 2 * CF_TRACE_SIZE, LEAST = VERSION + TRACE + 1 + 16 + 1 + 2 };

bool cf_traceparent_read(uint8_t trace[CF_TRACE_SIZE], cf_str_t header)
{
    uint8_t read[CF_TRACE_SIZE];
    const char *text = header.bytes;
    size_t digits = 0;
    for (uint32_t i = 0; i < header.size && i < LEAST; i++)
        digits += strchr("0123456789abcdef", text[i]) != NULL && text[i];
    bool is_one = header.size >= LEAST && digits == LEAST - 3 && text[2] == '-' &&
                  text[VERSION + TRACE] == '-' && text[LEAST - 3] == '-' &&
                  memcmp(text, "ff", 2) != 0 &&
                  (header.size == LEAST || (memcmp(text, "00", 2) != 0 && text[LEAST] == '-'));
    if (!is_one ||
        sodium_hex2bin(read, sizeof read, text + VERSION, TRACE, NULL, NULL, NULL) != 0 ||
        sodium_is_zero(read, sizeof read))
        return false;
    memcpy(trace, read, sizeof read);
    return true;
}
