/* base/model_limits.h: bounds that the wire, the store and the contracts share. What an operator may
 * change is a configuration key (base/config.h), not a line here. */
#ifndef CF_MODEL_LIMITS_H
#define CF_MODEL_LIMITS_H

#define CF_USERNAME_MIN 3 /* bytes; rooms contract 3.1 */
#define CF_USERNAME_MAX 50
#define CF_EMAIL_MAX 255
#define CF_PASSWORD_MIN 8
#define CF_PASSWORD_MAX 100
#define CF_PASSWORD_HASH_MAX 255
#define CF_ROOM_NAME_CHARS_MAX 100 /* code points */
#define CF_ROOM_NAME_MAX 400       /* bytes: 100 code points of 4 bytes */
#define CF_POST_CHARS_MAX 1000     /* code points; rooms contract section 5, NEW */
#define CF_POST_TEXT_MAX 4000      /* bytes: 1000 code points of 4 bytes */
#define CF_CLIENT_KEY_MAX 64       /* bytes of a client's idempotency key */
#define CF_HISTORY_MAX 100         /* posts in one page */
#define CF_ROOM_LIST_MAX 100       /* rooms in one page */
#define CF_RUN_ROWS_MAX 500        /* rows in one append run */
#define CF_TOKEN_MAX 255           /* characters of a session token */
#define CF_TOKEN_HASH_SIZE 32
#define CF_STOCK_CODE_MAX 20   /* bytes; rooms contract section 7 */
#define CF_COMMAND_TYPE_MAX 32 /* bytes of the name of a kind of command */
#define CF_DEAD_COMMAND_MAX 64 /* bytes of a command in a dead letter */
#define CF_DEAD_REASON_MAX 200 /* bytes */
#define CF_BODY_HASH_SIZE 16
/* A room that moves to another node takes its newest posts along, and who of these is a member. */
#define CF_ROOMS_MOVING_MAX 32 /* of a node, at a time */
#define CF_HANDOVER_MEMBERS_MAX 16384
#define CF_HANDOVER_MEMBERS_BYTES (CF_HANDOVER_MEMBERS_MAX * 20)
#define CF_NODES_MAX 64          /* of one chat */
#define CF_ROOM_THREADS_MAX 1024 /* of a node; the high bound of rooms.threads_max */
#define CF_GATEWAYS_MAX 64       /* of all nodes, that a room thread serves */
#define CF_NODE_NAME_MAX 63      /* bytes */
#define CF_NODE_ENDPOINT_MAX 127 /* bytes of where a node's mesh listens */
#define CF_NODE_KEY_SIZE 40      /* characters of a CURVE key in Z85 */

#endif
