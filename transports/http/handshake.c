#include "handshake.h"

#include <string.h>

static const char key_fault[] = "Sec-WebSocket-Key is not base64 of 16 bytes";

bool cf_handshake_is_meant(const cf_head_t *head)
{
    return head->method == CF_METHOD_GET &&
           (head->upgrade_websocket || head->present & (UINT32_C(1) << CF_FIELD_WS_KEY) ||
            head->present & (UINT32_C(1) << CF_FIELD_WS_VERSION));
}

static bool is_base64_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

/* 16 bytes are 21 full characters, one with four zero bits at its end, and two of padding. */
static bool is_key(cf_str_t key)
{
    if (key.size != CF_HANDSHAKE_KEY_TEXT || memcmp(key.bytes + 22, "==", 2) != 0)
        return false;
    for (int i = 0; i < 22; i++)
        if (!is_base64_char(key.bytes[i]))
            return false;
    return strchr("AQgw", key.bytes[21]) != NULL;
}

const char *cf_handshake_fault(const cf_head_t *head)
{
    if (head->minor < 1)
        return "HTTP version is below 1.1";
    if (!head->connection_upgrade)
        return "Connection does not name upgrade";
    if (!head->upgrade_websocket)
        return "Upgrade does not name websocket";
    if (!cf_str_equal(head->fields[CF_FIELD_WS_VERSION], cf_str("13")))
        return "Sec-WebSocket-Version is not 13";
    if (head->content_length > 0 || head->is_chunked)
        return "a handshake has no body";
    return is_key(head->fields[CF_FIELD_WS_KEY]) ? NULL : key_fault;
}

bool cf_handshake_fault_is_key(const char *fault)
{
    return fault == key_fault;
}
