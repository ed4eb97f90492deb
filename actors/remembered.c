#include "remembered.h"

#include "table.h"

#include <stdlib.h>

struct cf_remembered_row {
    char key[CF_WORDS_KEY_MAX]; /* the rest zero */
    int64_t until_us;
    cf_words_t words;
    UT_hash_handle hh; /* in order of age */
};
typedef struct cf_remembered_row row_t;

static row_t *find(const cf_remembered_t *self, cf_str_t key)
{
    char name[CF_WORDS_KEY_MAX] = {0};
    row_t *row = NULL;
    if (key.size <= sizeof name) {
        memcpy(name, key.bytes, key.size);
        HASH_FIND(hh, self->rows, name, sizeof name, row);
    }
    return row;
}

static void forget(cf_remembered_t *self, row_t *row)
{
    HASH_DEL(self->rows, row);
    free(row);
}

void cf_remember(cf_remembered_t *self, cf_str_t key, const cf_words_t *words, int64_t until_us)
{
    row_t *row = find(self, key);
    if (row)
        forget(self, row);
    else if (HASH_COUNT(self->rows) >= self->max)
        forget(self, self->rows); /* the oldest */
    row = key.size <= CF_WORDS_KEY_MAX ? calloc(1, sizeof *row) : NULL;
    if (!row)
        return;
    memcpy(row->key, key.bytes, key.size);
    row->until_us = until_us;
    row->words = *words;
    HASH_ADD(hh, self->rows, key, sizeof row->key, row);
    if (!row->hh.tbl)
        free(row);
}

const cf_words_t *cf_remembered(const cf_remembered_t *self, cf_str_t key, int64_t now_us)
{
    const row_t *row = find(self, key);
    return row && now_us < row->until_us ? &row->words : NULL;
}

void cf_forget_all(cf_remembered_t *self)
{
    while (self->rows)
        forget(self, self->rows);
}
