#include "mqtt.h"

#include <string.h>

#define LENGTH_BYTES_MAX 4 /* 2.2.3 */

enum { CONNECT = 0x10, PUBLISH = 0x30, SUBSCRIBE = 0x82 }; /* type and flags as they are sent */

/* The remaining length behind the first byte: how many bytes it has; 0 if they are not all there. */
static int read_length(size_t *out, const uint8_t *bytes, size_t size)
{
    *out = 0;
    for (int i = 0; i < LENGTH_BYTES_MAX; i++) {
        if ((size_t)i + 1 >= size)
            return 0;
        *out |= (size_t)(bytes[i + 1] & 0x7f) << 7 * i;
        if (!(bytes[i + 1] & 0x80))
            return i + 1;
    }
    return -1;
}

static bool read_publish(cf_mqtt_packet_t *out, uint8_t flags, const uint8_t *body, size_t size)
{
    size_t topic = size < 2 ? 0 : (size_t)body[0] << 8 | body[1];
    if (size < 2 || topic == 0 || size - 2 < topic || flags & 0x06) /* QoS > 0 has an id more */
        return false;
    out->topic = (cf_slice_t){(const char *)body + 2, topic};
    out->payload = (cf_slice_t){(const char *)body + 2 + topic, size - 2 - topic};
    return true;
}

int cf_mqtt_read(cf_mqtt_packet_t *out, const uint8_t *bytes, size_t size)
{
    size_t length;
    int head = read_length(&length, bytes, size);
    if (head <= 0)
        return head;
    if (size - 1 - (size_t)head < length)
        return 0;
    const uint8_t *body = bytes + 1 + head;
    bool good = false;
    *out = (cf_mqtt_packet_t){.type = bytes[0] >> 4};
    switch (out->type) {
    case CF_MQTT_CONNACK:
        good = length == 2;
        out->refused = good && body[1] != 0;
        break;
    case CF_MQTT_SUBACK:
        good = length == 3;
        out->refused = good && body[2] == 0x80;
        break;
    case CF_MQTT_PUBLISH:
        good = read_publish(out, bytes[0] & 0x0f, body, length);
        break;
    default:
        break;
    }
    return good ? 1 + head + (int)length : -1;
}

static size_t write_head(uint8_t *out, uint8_t first, size_t length)
{
    size_t at = 0;
    out[at++] = first;
    do {
        out[at++] = (uint8_t)((length & 0x7f) | (length > 0x7f ? 0x80 : 0));
        length >>= 7;
    } while (length > 0);
    return at;
}

static size_t write_text(uint8_t *out, const char *text)
{
    size_t size = strlen(text);
    out[0] = (uint8_t)(size >> 8);
    out[1] = (uint8_t)size;
    memcpy(out + 2, text, size);
    return 2 + size;
}

size_t cf_mqtt_write_connect(uint8_t *out, const char *client_id)
{
    /* protocol name and level, clean session, no keep-alive: 3.1.2 */
    static const uint8_t fixed[] = {0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0};
    size_t at = write_head(out, CONNECT, sizeof fixed + 2 + strlen(client_id));
    memcpy(out + at, fixed, sizeof fixed);
    at += sizeof fixed;
    return at + write_text(out + at, client_id);
}

size_t cf_mqtt_write_subscribe(uint8_t *out, const char *topic)
{
    size_t at = write_head(out, SUBSCRIBE, 2 + 2 + strlen(topic) + 1);
    out[at++] = 0;
    out[at++] = 1; /* packet id */
    at += write_text(out + at, topic);
    out[at++] = 0; /* QoS */
    return at;
}

size_t cf_mqtt_write_publish(uint8_t *out, const char *topic, const char *payload, size_t size)
{
    size_t at = write_head(out, PUBLISH, 2 + strlen(topic) + size);
    at += write_text(out + at, topic);
    memcpy(out + at, payload, size);
    return at + size;
}
