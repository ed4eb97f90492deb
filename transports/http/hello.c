#include "hello.h"
#include "err.h"

#define RECORD_HEAD 5
#define RECORD_MAX (16 << 10)
#define MESSAGE_HEAD 4

enum { HANDSHAKE = 22, VERSION_MAJOR = 3, CLIENT_HELLO = 1, SSL2_LONG = 0x80 };

int cf_hello_awaits(const uint8_t head[CF_HELLO_HEAD])
{
    int record = head[3] << 8 | head[4], message = head[6] << 16 | head[7] << 8 | head[8];
    if (head[0] & SSL2_LONG)
        return CF_EPROTO; /* a hello of SSL 2, which OpenSSL still knows */
    if (head[1] != VERSION_MAJOR)
        return 0;
    if (head[0] != HANDSHAKE || head[5] != CLIENT_HELLO || record < MESSAGE_HEAD ||
        record > RECORD_MAX || message > CF_HELLO_MAX)
        return CF_EPROTO;
    int longer = record > message + MESSAGE_HEAD ? record : message + MESSAGE_HEAD;
    return RECORD_HEAD + longer;
}
