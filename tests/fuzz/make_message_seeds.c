/* make_message_seeds FOLDER: the corpus of fuzz_messages, made from the tables of their fields: of each message a body and a whole
 * frame, and a body whose texts are not all ASCII. */
#include "shape_fill.h"
#include "wire/msg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *folder;
    uint16_t next; /* the place of the message in the list */
    uint64_t random;
    cf_arena_t arena;
} maker_t;

static void write_seed(const maker_t *maker, const char *name, const char *form, uint16_t choice,
                       const cf_buf_t *bytes)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s-%s", maker->folder, name, form);
    FILE *file = fopen(path, "w");
    if (!file) {
        perror(path);
        exit(1);
    }
    fputc(choice & 0xff, file);
    fputc(choice >> 8, file);
    fwrite(bytes->data, 1, bytes->size, file);
    fclose(file);
}

/* The texts of its own end with a character of three bytes and one of four. False: it has none of that size. */
static bool widen(const cf_shape_t *shape, uint8_t *body)
{
    static const char end[] = "\xe2\x82\xac\xf0\x9f\x99\x82";
    bool has_text = false;
    for (uint32_t i = 0; i < shape->n; i++) {
        cf_str_t *text = (cf_str_t *)(body + shape->fields[i].offset);
        if (shape->fields[i].kind != CF_FIELD_TEXT || text->size < sizeof end - 1)
            continue;
        memcpy((char *)(uintptr_t)text->bytes + text->size - (sizeof end - 1), end, sizeof end - 1);
        has_text = true;
    }
    return has_text;
}

static void make(void *arg, uint16_t type, const char *name, const cf_shape_t *shape)
{
    maker_t *maker = arg;
    cf_buf_t bytes = {0};
    maker->random = type; /* so that one message more does not change the others */
    void *body = shape_fill(&maker->arena, shape, FILL_RANDOM, &maker->random);
    cf_msg_t head = {
        .type = type, .corr = 1, .from = {1, CF_ACTOR_GATEWAY, 0}, .to = {1, CF_ACTOR_STORAGE, 0}};
    if (cf_shape_encode(&bytes, shape, body) != 0)
        abort();
    write_seed(maker, name, "body", maker->next, &bytes);
    cf_buf_clear(&bytes);
    if (cf_msg_encode(&bytes, &head, body) != 0)
        abort();
    write_seed(maker, name, "frame", 0x8000, &bytes);
    cf_buf_clear(&bytes);
    if (widen(shape, body)) {
        if (cf_shape_encode(&bytes, shape, body) != 0)
            abort();
        write_seed(maker, name, "wide", maker->next, &bytes);
    }
    maker->next++;
    cf_buf_free(&bytes);
    cf_arena_reset(&maker->arena);
}

int main(int argc, char **argv)
{
    maker_t maker = {0};
    if (argc != 2) {
        fprintf(stderr, "usage: make_message_seeds FOLDER\n");
        return 2;
    }
    maker.folder = argv[1];
    cf_msg_visit(make, &maker);
    cf_arena_free(&maker.arena);
    return 0;
}
