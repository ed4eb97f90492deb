/* bench/mqtt.h: as much of MQTT 3.1.1 as a member of a room needs: CONNECT, SUBSCRIBE and PUBLISH, all
 * at QoS 0. A measuring tool's own, without one allocation. */
#ifndef CF_BENCH_MQTT_H
#define CF_BENCH_MQTT_H

#include "frame.h"

#include <stddef.h>
#include <stdint.h>

enum { CF_MQTT_CONNACK = 2, CF_MQTT_PUBLISH = 3, CF_MQTT_SUBACK = 9 }; /* 2.2.1 */

#define CF_MQTT_AROUND_MAX 128 /* what a packet adds to topic or client id, and to its payload */

typedef struct {
    uint8_t type;
    bool refused;       /* CONNACK and SUBACK */
    cf_slice_t topic;   /* PUBLISH */
    cf_slice_t payload; /* PUBLISH */
} cf_mqtt_packet_t;

/* The packet at the start of bytes: its size; 0 if it is not there completely; -1 if it is none that a
 * server may send to us. */
int cf_mqtt_read(cf_mqtt_packet_t *out, const uint8_t *bytes, size_t size);

/* Each writes one packet and returns its size; names are at most CF_MQTT_AROUND_MAX / 2 long. */
size_t cf_mqtt_write_connect(uint8_t *out, const char *client_id);
size_t cf_mqtt_write_subscribe(uint8_t *out, const char *topic);
size_t cf_mqtt_write_publish(uint8_t *out, const char *topic, const char *payload, size_t size);

#endif
