#include "wire/protocol_doc.h"

#include "wire/msg.h"

#include <inttypes.h>

#define PARTS_MAX 64

/* The high byte of a message's number is its group. */
static const struct {
    uint8_t number;
    const char *header, *subject;
} groups[] = {
    {0x01, "control.h", "what every actor understands, and the general answers"},
    {0x02, "observe.h", "what actors tell about themselves"},
    {0x03, "place.h", "where a room is, and how it leaves"},
    {0x04, "room.h", "between a gateway and a room"},
    {0x05, "append.h", "between a room and storage"},
    {0x06, "record.h", "every other write"},
    {0x07, "read.h", "questions to a reader"},
    {0x08, "account.h", "who a client is"},
    {0x09, "hash.h", "password work"},
    {0x0a, "bot.h", "what a room asks the bot"},
    {0x0b, "limit.h", "tokens of buckets"},
    {0x0c, "operate.h", "what an operator asks the running server"},
};

static const char intro[] =
    "<!-- Printed by `confab protocol-doc`; a test holds it to the code. -->\n"
    "# Messages between actors\n"
    "\n"
    "Actors talk only by messages, each a fixed head and a body. A ZeroMQ frame holds one of them "
    "or\n"
    "several, one behind the other: what an actor has to say to another in one turn. The same "
    "bytes\n"
    "travel inside the process and between nodes. Who sends what to whom, and what answers it,\n"
    "stands in the header of each group, `transports/wire/`. A request wants one answer: its own, "
    "or\n"
    "REFUSED or MOVED. An answer is never answered, nor is a notice.\n"
    "\n"
    "## Head\n"
    "\n"
    "All numbers are little-endian. A message with another version, another flag, a sampled trace "
    "without an id, an unlisted "
    "type, an\n"
    "unknown kind of actor, or a size that goes beyond its frame is refused, and the rest of the\n"
    "frame with it.\n"
    "\n"
    "| offset | field | meaning |\n"
    "|---|---|---|\n"
    "| 0 | u8 | version, %d |\n"
    "| 1 | u8 | flags: %d, spans of the trace are told; else 0 |\n"
    "| 2 | u16 | type, a number of the tables below |\n"
    "| 4 | u32 | size of the body in bytes, at most %u |\n"
    "| 8 | u64 | correlation id, chosen by who asks, repeated in the answer; 0: none belongs to "
    "it |\n"
    "| 16 | %d bytes | trace id of the client request this serves; zero: none |\n"
    "| 32 | u64 | from: node << 32, kind of actor << 16, index |\n"
    "| 40 | u64 | to |\n"
    "| 48 | %d bytes | room the message is about; zero: none |\n"
    "| %d | | body |\n"
    "\n";

static const char body_rules[] =
    "\n"
    "## Bodies\n"
    "\n"
    "A body is one [msgpack](https://github.com/msgpack/msgpack/blob/master/spec.md) array with\n"
    "exactly the fields listed, in this order; nothing follows it. Numbers need not have the\n"
    "shortest form. Anything else is refused, and nothing of it is used.\n"
    "\n"
    "| kind | msgpack | bounds |\n"
    "|---|---|---|\n"
    "| bool | true, false | |\n"
    "| u32, u64 | unsigned integer | least..most value |\n"
    "| i64 | integer | |\n"
    "| n bytes | bin | exactly n bytes |\n"
    "| text | str of well-formed UTF-8 | least..most bytes |\n"
    "| bytes | bin | least..most bytes |\n"
    "| list | array of parts | least..most items |\n"
    "| part | array | |\n";

/* --- parts: what messages are made of ----------------------------------------------------------
 */

typedef struct {
    const cf_shape_t *shapes[PARTS_MAX]; /* in order of their first use */
    uint32_t n;
} parts_t;

static void add_parts(parts_t *parts, const cf_shape_t *shape);

static void add_part(parts_t *parts, const cf_shape_t *shape)
{
    for (uint32_t i = 0; i < parts->n; i++)
        if (parts->shapes[i] == shape)
            return;
    if (parts->n < PARTS_MAX)
        parts->shapes[parts->n++] = shape;
    add_parts(parts, shape);
}

static void add_parts(parts_t *parts, const cf_shape_t *shape)
{
    for (uint32_t i = 0; i < shape->n; i++)
        if (shape->fields[i].items)
            add_part(parts, shape->fields[i].items);
}

static void add_parts_of_message(void *arg, uint16_t type, const char *name,
                                 const cf_shape_t *shape)
{
    (void)type;
    (void)name;
    add_parts(arg, shape);
}

/* --- tables ------------------------------------------------------------------------------------
 */

static void print_number(FILE *out, const char *kind, const cf_field_t *field, uint64_t most)
{
    fputs(kind, out);
    if (field->min != 0 || field->max != most)
        fprintf(out, " %" PRIu64 "..%" PRIu64, field->min, field->max);
}

static void print_kind(FILE *out, const cf_field_t *field)
{
    switch (field->kind) {
    case CF_FIELD_BOOL:
        fputs("bool", out);
        break;
    case CF_FIELD_U32:
        print_number(out, "u32", field, UINT32_MAX);
        break;
    case CF_FIELD_U64:
        print_number(out, "u64", field, UINT64_MAX);
        break;
    case CF_FIELD_I64:
        fputs("i64", out);
        break;
    case CF_FIELD_FIXED:
        fprintf(out, "%" PRIu64 " bytes", field->max);
        break;
    case CF_FIELD_TEXT:
        fprintf(out, "text %" PRIu64 "..%" PRIu64, field->min, field->max);
        break;
    case CF_FIELD_BYTES:
        fprintf(out, "bytes %" PRIu64 "..%" PRIu64, field->min, field->max);
        break;
    case CF_FIELD_LIST:
        fprintf(out, "list %" PRIu64 "..%" PRIu64 " of *%s*", field->min, field->max,
                field->items->name);
        break;
    case CF_FIELD_STRUCT:
        fprintf(out, "part *%s*", field->items->name);
        break;
    }
}

static void print_fields(FILE *out, const cf_shape_t *shape)
{
    if (shape->n == 0)
        fputs("none", out);
    for (uint32_t i = 0; i < shape->n; i++) {
        fprintf(out, "%s`%s` ", i ? "; " : "", shape->fields[i].name);
        print_kind(out, &shape->fields[i]);
    }
    fputs(" |\n", out);
}

typedef struct {
    FILE *out;
    uint8_t group;
} table_t;

static void print_group(FILE *out, uint8_t number)
{
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        if (groups[i].number == number)
            fprintf(out, "\n## %s: %s\n", groups[i].header, groups[i].subject);
    fputs("\n| number | message | role | fields |\n|---|---|---|---|\n", out);
}

static void print_message(void *arg, uint16_t type, const char *name, const cf_shape_t *shape)
{
    static const char *const roles[] = {"request", "answer", "notice"};
    table_t *table = arg;
    uint8_t group = (uint8_t)(type >> 8);
    if (group != table->group)
        print_group(table->out, group);
    table->group = group;
    fprintf(table->out, "| 0x%04x | %s | %s | ", type, name, roles[cf_msg_role(type)]);
    print_fields(table->out, shape);
}

void cf_protocol_doc(FILE *out)
{
    parts_t parts = {0};
    table_t table = {.out = out};
    fprintf(out, intro, CF_MSG_VERSION, CF_MSG_SAMPLED, CF_MSG_BODY_MAX, CF_TRACE_ID_SIZE,
            CF_ID_SIZE, CF_MSG_HEAD_SIZE);
    fputs("| kind of actor | number |\n|---|---|\n", out);
    for (int kind = 1; kind < CF_ACTOR_KINDS; kind++)
        fprintf(out, "| %s | %d |\n", cf_actor_name((uint16_t)kind), kind);
    fputs(body_rules, out);
    cf_msg_visit(print_message, &table);
    fputs("\n## Parts\n\n| part | fields |\n|---|---|\n", out);
    cf_msg_visit(add_parts_of_message, &parts);
    for (uint32_t i = 0; i < parts.n; i++) {
        fprintf(out, "| *%s* | ", parts.shapes[i]->name);
        print_fields(out, parts.shapes[i]);
    }
}
