/* What servers speak that are no confab, and their table. */
#include "load.h"

#include "engineio.h"
#include "mqtt.h"
#include "nats.h"

#include <stdio.h>
#include <string.h>

_Static_assert(CF_MQTT_AROUND_MAX <= CF_POST_AROUND_MAX &&
                   CF_NATS_AROUND_MAX <= CF_POST_AROUND_MAX &&
                   CF_ENGINEIO_AROUND_MAX <= CF_POST_AROUND_MAX,
               "a post has room for what is around its text");

typedef struct {
    cf_load_t *load;
    cf_client_t *client;
} speaker_t;

static const char *room_of(const cf_load_t *load, const cf_client_t *client)
{
    return load->rooms[client->room].id;
}

static void deliver(const speaker_t *speaker, cf_slice_t room, cf_slice_t text)
{
    if (!cf_slice_is(room, room_of(speaker->load, speaker->client)))
        speaker->load->counts.misrouted++;
    else
        cf_rooms_deliver_text(speaker->load, speaker->client, text.at, text.size);
}

/* ---- plain: a frame is a post; who is connected is a member */

static bool take_plain(cf_load_t *load, cf_client_t *client, const uint8_t *payload, size_t size)
{
    cf_rooms_deliver_text(load, client, (const char *)payload, size);
    return true;
}

static size_t write_plain(uint8_t *out, const cf_load_t *load, const cf_client_t *client,
                          uint32_t n, const char *text, size_t size)
{
    (void)load, (void)client, (void)n;
    memcpy(out, text, size);
    return size;
}

/* ---- MQTT */

static void begin_mqtt(cf_load_t *load, cf_client_t *client)
{
    uint8_t packets[2 * CF_MQTT_AROUND_MAX];
    char id[16];
    snprintf(id, sizeof id, "load%06u", client->index);
    size_t size = cf_mqtt_write_connect(packets, id);
    size += cf_mqtt_write_subscribe(packets + size, room_of(load, client));
    cf_client_send(load, client, packets, size);
}

static int on_mqtt(void *context, const uint8_t *bytes, size_t size)
{
    const speaker_t *speaker = context;
    cf_mqtt_packet_t packet;
    int whole = cf_mqtt_read(&packet, bytes, size);
    if (whole <= 0)
        return whole;
    if (packet.type == CF_MQTT_PUBLISH)
        deliver(speaker, packet.topic, packet.payload);
    else if (packet.refused)
        return -1;
    else if (packet.type == CF_MQTT_SUBACK && speaker->client->state == CF_CLIENT_OPEN)
        cf_client_become_ready(speaker->load, speaker->client);
    return whole;
}

static bool take_mqtt(cf_load_t *load, cf_client_t *client, const uint8_t *payload, size_t size)
{
    speaker_t speaker = {load, client};
    return cf_stream_take(&client->stream, payload, size, on_mqtt, &speaker);
}

static size_t write_mqtt(uint8_t *out, const cf_load_t *load, const cf_client_t *client, uint32_t n,
                         const char *text, size_t size)
{
    (void)n;
    return cf_mqtt_write_publish(out, room_of(load, client), text, size);
}

/* ---- NATS */

static void begin_nats(cf_load_t *load, cf_client_t *client)
{
    uint8_t ops[2 * CF_NATS_AROUND_MAX];
    cf_client_send(load, client, ops, cf_nats_write_connect(ops, room_of(load, client)));
}

static int on_nats(void *context, const uint8_t *bytes, size_t size)
{
    const speaker_t *speaker = context;
    uint8_t pong[CF_NATS_AROUND_MAX];
    cf_nats_op_t op;
    int whole = cf_nats_read(&op, bytes, size);
    if (whole <= 0)
        return whole;
    if (op.kind == CF_NATS_MSG)
        deliver(speaker, op.subject, op.payload);
    else if (op.kind == CF_NATS_PING)
        cf_client_send(speaker->load, speaker->client, pong, cf_nats_write_pong(pong));
    else if (op.kind == CF_NATS_PONG && speaker->client->state == CF_CLIENT_OPEN)
        cf_client_become_ready(speaker->load, speaker->client);
    else if (op.kind == CF_NATS_ERR)
        return -1;
    return whole;
}

static bool take_nats(cf_load_t *load, cf_client_t *client, const uint8_t *payload, size_t size)
{
    speaker_t speaker = {load, client};
    return cf_stream_take(&client->stream, payload, size, on_nats, &speaker);
}

static size_t write_nats(uint8_t *out, const cf_load_t *load, const cf_client_t *client, uint32_t n,
                         const char *text, size_t size)
{
    (void)n;
    return cf_nats_write_pub(out, room_of(load, client), text, size);
}

/* ---- Socket.IO: the room is in the path of the upgrade */

static void begin_socketio(cf_load_t *load, cf_client_t *client)
{
    (void)load, (void)client; /* the server opens */
}

static bool take_socketio(cf_load_t *load, cf_client_t *client, const uint8_t *payload, size_t size)
{
    cf_engineio_packet_t packet;
    if (!cf_engineio_read(&packet, (const char *)payload, size))
        return false;
    if (packet.kind == CF_ENGINEIO_EVENT)
        cf_rooms_deliver_text(load, client, packet.text.at, packet.text.size);
    else if (packet.kind == CF_ENGINEIO_PING)
        cf_client_send(load, client, CF_ENGINEIO_PONG, strlen(CF_ENGINEIO_PONG));
    else if (packet.kind == CF_ENGINEIO_OPEN)
        cf_client_send(load, client, CF_ENGINEIO_CONNECT_TEXT, strlen(CF_ENGINEIO_CONNECT_TEXT));
    else if (client->state == CF_CLIENT_OPEN)
        cf_client_become_ready(load, client);
    return true;
}

static size_t write_socketio(uint8_t *out, const cf_load_t *load, const cf_client_t *client,
                             uint32_t n, const char *text, size_t size)
{
    (void)load, (void)client, (void)n;
    return cf_engineio_write_event((char *)out, text, size);
}

/* ---- the table */

static const cf_dialect_t peers[] = {
    {.name = "plain",
     .path = "/%s",
     .opcode = CF_OP_TEXT,
     .begin = cf_client_become_ready,
     .take = take_plain,
     .write_post = write_plain},
    {.name = "mqtt",
     .path = "/mqtt",
     .subprotocol = "mqtt",
     .opcode = CF_OP_BINARY,
     .streams = true,
     .begin = begin_mqtt,
     .take = take_mqtt,
     .write_post = write_mqtt},
    {.name = "nats",
     .path = "/",
     .opcode = CF_OP_BINARY,
     .streams = true,
     .begin = begin_nats,
     .take = take_nats,
     .write_post = write_nats},
    {.name = "socketio",
     .path = "/socket.io/?EIO=4&transport=websocket&room=%s",
     .opcode = CF_OP_TEXT,
     .begin = begin_socketio,
     .take = take_socketio,
     .write_post = write_socketio},
};

const cf_dialect_t *cf_dialect_find(const char *name)
{
    if (strcmp(name, cf_confab_dialect.name) == 0)
        return &cf_confab_dialect;
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++)
        if (strcmp(name, peers[i].name) == 0)
            return &peers[i];
    return NULL;
}
