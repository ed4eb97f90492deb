/* bench/{mqtt,nats,engineio,stream,payload}: what the load generator reads of other servers, whole, cut off at every byte,
 * and in pieces. */
#include "engineio.h"
#include "mqtt.h"
#include "nats.h"
#include "payload.h"
#include "stream.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

TestSuite(codecs, .timeout = 30);

#define TEXT_MAX 1024

typedef int read_fn(char *out, const uint8_t *bytes, size_t size); /* what was read, as text */

static int read_mqtt(char *out, const uint8_t *bytes, size_t size)
{
    cf_mqtt_packet_t packet;
    int whole = cf_mqtt_read(&packet, bytes, size);
    if (whole > 0)
        sprintf(out, "%d%s %.*s %.*s;", packet.type, packet.refused ? " refused" : "",
                (int)packet.topic.size, packet.topic.at ? packet.topic.at : "",
                (int)packet.payload.size, packet.payload.at ? packet.payload.at : "");
    return whole;
}

static int read_nats(char *out, const uint8_t *bytes, size_t size)
{
    cf_nats_op_t op;
    int whole = cf_nats_read(&op, bytes, size);
    if (whole > 0)
        sprintf(out, "%d %.*s %.*s;", op.kind, (int)op.subject.size,
                op.subject.at ? op.subject.at : "", (int)op.payload.size,
                op.payload.at ? op.payload.at : "");
    return whole;
}

/* Reads a server's bytes in frames of so many bytes at most; what came out, or "bad". */
typedef struct {
    read_fn *read;
    char text[TEXT_MAX];
} seen_t;

static int on_packet(void *context, const uint8_t *bytes, size_t size)
{
    seen_t *seen = context;
    return seen->read(seen->text + strlen(seen->text), bytes, size);
}

static const char *in_pieces(read_fn *read, const void *bytes, size_t size, size_t most)
{
    static seen_t seen;
    uint8_t part[CF_PART_MAX];
    cf_stream_t stream = {.part = part};
    seen = (seen_t){.read = read};
    for (size_t at = 0; at < size; at += most)
        if (!cf_stream_take(&stream, (const uint8_t *)bytes + at,
                            size - at < most ? size - at : most, on_packet, &seen))
            return "bad";
    return stream.size > 0 ? "incomplete" : seen.text;
}

/* CONNACK, SUBACK, two of PUBLISH */
static const uint8_t mqtt_bytes[] = "\x20\x02\x00\x00\x90\x03\x00\x01\x00"
                                    "\x30\x08\x00\x04roomhi\x30\x06\x00\x04room";
#define MQTT_SIZE (sizeof mqtt_bytes - 1)
#define MQTT_READ "2  ;9  ;3 room hi;3 room ;"

static const char nats_bytes[] =
    "INFO {\"max_payload\":1048576}\r\n+OK\r\nPONG\r\nMSG room 1 2\r\nhi\r\n"
    "PING\r\nMSG room 1 back 4\r\n\r\n\r\n\r\n-ERR 'no'\r\n";
#define NATS_SIZE (sizeof nats_bytes - 1)
#define NATS_READ "0  ;4  ;3  ;1 room hi;2  ;1 room \r\n\r\n;5  ;"

Test(codecs, packets_come_in_frames_of_any_size)
{
    for (size_t most = 1; most <= MQTT_SIZE; most++)
        cr_assert(eq(str, (char *)in_pieces(read_mqtt, mqtt_bytes, MQTT_SIZE, most), MQTT_READ));
    for (size_t most = 1; most <= NATS_SIZE; most++)
        cr_assert(eq(str, (char *)in_pieces(read_nats, nats_bytes, NATS_SIZE, most), NATS_READ));
}

/* The number of packets that are complete in the first `size` bytes is all that is read of them. */
static void cut_everywhere(read_fn *read, const uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        char text[TEXT_MAX];
        int whole = read(text, bytes + at, size - at);
        cr_assert(whole > 0);
        for (size_t cut = 0; cut < (size_t)whole; cut++)
            cr_assert(eq(int, read(text, bytes + at, cut), 0), "cut to %zu of %d", cut, whole);
        at += (size_t)whole;
    }
}

Test(codecs, a_packet_that_is_cut_off_is_waited_for)
{
    cut_everywhere(read_mqtt, mqtt_bytes, MQTT_SIZE);
    cut_everywhere(read_nats, (const uint8_t *)nats_bytes, NATS_SIZE);
}

Test(codecs, what_is_no_packet_is_told)
{
    static const struct {
        read_fn *read;
        const char *bytes;
        size_t size;
    } bad[] = {
        {read_mqtt, "\x20\x03\x00\x00\x00", 5},     /* CONNACK of another length */
        {read_mqtt, "\x30\x01\x00", 3},             /* no topic */
        {read_mqtt, "\x30\x04\x00\x03ro", 6},       /* topic beyond the end */
        {read_mqtt, "\x32\x08\x00\x04roomhi", 10},  /* QoS 1 */
        {read_mqtt, "\x10\x00", 2},                 /* a client's packet */
        {read_mqtt, "\x30\xff\xff\xff\xff\x01", 6}, /* length of five bytes */
        {read_nats, "MSG room 1\r\n", 12},          /* no size */
        {read_nats, "MSG room 1 2x\r\nhi\r\n", 19}, /* no number */
        {read_nats, "MSG room 1 99999999\r\n", 21}, /* beyond what we read */
        {read_nats, "MSG room 1 2\r\nhi!\r\n", 19}, /* longer than it says */
        {read_nats, "PUB room 2\r\nhi\r\n", 16},    /* a client's operation */
        {read_nats, "\r\n", 2},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert(
            eq(str, (char *)in_pieces(bad[i].read, bad[i].bytes, bad[i].size, bad[i].size), "bad"),
            "%zu", i);
    char line[CF_NATS_LINE_MAX + 1];
    memset(line, 'x', sizeof line);
    cr_assert(eq(int, read_nats(line, (const uint8_t *)line, CF_NATS_LINE_MAX - 1), 0));
    cr_assert(eq(int, read_nats(line, (const uint8_t *)line, CF_NATS_LINE_MAX), -1));
}

Test(codecs, a_packet_in_pieces_is_bounded)
{
    static uint8_t publish[CF_PART_MAX + 2], text[TEXT_MAX];
    uint8_t part[CF_PART_MAX];
    cf_stream_t stream = {.part = part};
    seen_t seen = {.read = read_mqtt};
    memcpy(publish, "\x30\xff\xff\x7f\x00\x04room", 10); /* of 2 MiB */
    cr_assert(cf_stream_take(&stream, publish, 10, on_packet, &seen));
    cr_assert(cf_stream_take(&stream, publish + 10, CF_PART_MAX - 10, on_packet, &seen));
    cr_assert(not(cf_stream_take(&stream, text, 1, on_packet, &seen)));
    stream.size = 0;
    cr_assert(not(cf_stream_take(&stream, publish, CF_PART_MAX + 1, on_packet, &seen)));
}

Test(codecs, refusals_of_a_broker_are_seen)
{
    cf_mqtt_packet_t packet;
    cr_assert(eq(int, cf_mqtt_read(&packet, (const uint8_t *)"\x20\x02\x00\x05", 4), 4));
    cr_assert(packet.refused);
    cr_assert(eq(int, cf_mqtt_read(&packet, (const uint8_t *)"\x90\x03\x00\x01\x80", 5), 5));
    cr_assert(packet.refused);
}

Test(codecs, engineio_reads_whole_frames_only)
{
    static const struct {
        const char *frame;
        int kind; /* -1: none */
        const char *text;
    } frames[] = {{"0{\"sid\":\"a\"}", CF_ENGINEIO_OPEN, ""},
                  {"2", CF_ENGINEIO_PING, ""},
                  {"40{\"sid\":\"b\"}", CF_ENGINEIO_CONNECT, ""},
                  {"42[\"m\",\"hi\"]", CF_ENGINEIO_EVENT, "hi"},
                  {"42[\"m\",\"\"]", CF_ENGINEIO_EVENT, ""},
                  {"42[\"m\",\"]", -1, ""},
                  {"42[\"m\",\"hi\"", -1, ""},
                  {"42[\"n\",\"hi\"]", -1, ""},
                  {"44{\"message\":\"no\"}", -1, ""},
                  {"41", -1, ""},
                  {"2probe", -1, ""},
                  {"0", -1, ""},
                  {"40{", -1, ""},
                  {"", -1, ""}};
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        cf_engineio_packet_t packet;
        bool read = cf_engineio_read(&packet, frames[i].frame, strlen(frames[i].frame));
        cr_assert(eq(int, read ? (int)packet.kind : -1, frames[i].kind), "%s", frames[i].frame);
        cr_assert(packet.kind != CF_ENGINEIO_EVENT || !read ||
                      cf_slice_is(packet.text, frames[i].text),
                  "%s", frames[i].frame);
    }
}

/* What we write to a broker it sends on as it is: so it reads back, but for who may send what. */
Test(codecs, what_is_written_reads_back)
{
    uint8_t out[CF_PAYLOAD_MAX + CF_MQTT_AROUND_MAX];
    char text[CF_PAYLOAD_MAX];
    cf_mqtt_packet_t packet;
    memset(text, 'y', sizeof text);
    static const size_t sizes[] = {0, 1, 121, 122, 128, 3700};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t size = cf_mqtt_write_publish(out, "room", text, sizes[i]);
        cr_assert(eq(int, cf_mqtt_read(&packet, out, size), (int)size));
        cr_assert(packet.payload.size == sizes[i] && cf_slice_is(packet.topic, "room"));
    }
    size_t size = cf_engineio_write_event((char *)out, "hi", 2);
    cf_engineio_packet_t event;
    cr_assert(cf_engineio_read(&event, (char *)out, size) && cf_slice_is(event.text, "hi"));
    size = cf_nats_write_pub(out, "room", "hi", 2);
    cr_assert(size == 16 && memcmp(out, "PUB room 2\r\nhi\r\n", size) == 0);
}

Test(codecs, payloads_of_every_size_read_back_and_prove_themselves)
{
    char text[CF_PAYLOAD_MAX];
    for (size_t size = CF_PAYLOAD_MIN; size <= CF_PAYLOAD_MAX; size++) {
        cf_payload_t read = {0}, payload = {.run = (1ull << CF_PAYLOAD_SHORT_RUN_BITS) - 1,
                                            .writer = 19999,
                                            .n = 4000000000,
                                            .due_ns = 123456789012000};
        cf_payload_write(text, size, &payload);
        cr_assert(cf_payload_read(&read, text, size), "size %zu", size);
        cr_assert(read.run == payload.run && read.writer == payload.writer && read.n == payload.n &&
                      read.due_ns == payload.due_ns && read.crc == payload.crc,
                  "size %zu", size);
        text[size - 1] ^= 1;
        cr_assert(not(cf_payload_read(&read, text, size)), "changed at the end, size %zu", size);
        text[size - 1] ^= 1;
        text[12] ^= 1;
        bool believed = cf_payload_read(&read, text, size);
        cr_assert(read.run != payload.run || !believed, "changed in front, size %zu", size);
        cr_assert(size < CF_PAYLOAD_LONG || !cf_payload_read(&read, text, size - 1),
                  "cut, size %zu", size);
    }
}
