#include "dialects/json_tree.h"

#include "buf.h"
#include "dialects/json_lax.h"
#include "err.h"
#include "utf8.h"

#include <pthread.h>
#include <setjmp.h>

/* Jansson takes all it needs from the caller's arena and gives nothing back: whoever resets the arena frees it. When
 * its lexer has no memory for a byte, it leaves it out of the string and says nothing, or an assertion of its ends
 * the process (2.14, load.c, lex_save and lex_unget_unsave). So it never sees a failed allocation: the parse is left
 * by a jump. */
static _Thread_local struct {
    jmp_buf no_memory;
    cf_arena_t *arena; /* of the parse under way */
} memory;

static void *take_memory(size_t size)
{
    void *bytes = memory.arena ? cf_arena_take(memory.arena, size) : NULL;
    if (!bytes && memory.arena)
        longjmp(memory.no_memory, 1);
    return bytes;
}

static void give_memory(void *bytes)
{
    (void)bytes;
}

static void use_arena(void)
{
    json_set_alloc_funcs(take_memory, give_memory);
}

static int parse(json_t **out, const char *bytes, size_t size, size_t flags, cf_arena_t *arena)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    json_error_t error;
    pthread_once(&once, use_arena);
    memory.arena = arena;
    if (setjmp(memory.no_memory)) {
        memory.arena = NULL;
        return CF_ENOMEM;
    }
    json_t *root = json_loadb(bytes, size, flags, &error);
    memory.arena = NULL;
    if (!json_is_object(root))
        return CF_EPROTO;
    *out = root;
    return 0;
}

int cf_json_tree_of(json_t **out, char *bytes, size_t size, cf_arena_t *arena)
{
    cf_json_relax(bytes, size);
    return parse(out, bytes, size, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, arena);
}

int cf_json_tree_strict(json_t **out, cf_str_t text, cf_arena_t *arena)
{
    return parse(out, text.bytes, text.size, JSON_REJECT_DUPLICATES, arena);
}

int cf_json_tree(json_t **out, cf_str_t text, cf_arena_t *arena)
{
    cf_buf_t copy = {0};
    int rc = cf_buf_add(&copy, text.bytes, text.size);
    if (rc == 0)
        rc = cf_utf8_repair(&copy);
    if (rc == 0)
        rc = cf_json_tree_of(out, (char *)copy.data, copy.size, arena);
    cf_buf_free(&copy);
    return rc;
}
