/* actors/remembered.h: words the bot has found, under a key and for a time: quotes by their code, so
 * that the next one who asks costs no request, and answers by their command, so that a command asked
 * again is not begun again. Holds at most so many; then the oldest goes. */
#ifndef CF_REMEMBERED_H
#define CF_REMEMBERED_H

#include "model.h"

#define CF_WORDS_MAX 255    /* bytes */
#define CF_WORDS_KEY_MAX 20 /* bytes: a stock code, or an id */

typedef struct {
    bool is_error;
    char text[CF_WORDS_MAX + 1];
} cf_words_t;

typedef struct {
    uint32_t max; /* set by the owner; at least 1 */
    struct cf_remembered_row *rows;
} cf_remembered_t;

/* What stands there under the key in place of what did, until until_us. Without memory nothing does. */
void cf_remember(cf_remembered_t *self, cf_str_t key, const cf_words_t *words, int64_t until_us);
/* NULL: nothing, or not any more. Valid until the next cf_remember(). */
const cf_words_t *cf_remembered(const cf_remembered_t *self, cf_str_t key, int64_t now_us);
void cf_forget_all(cf_remembered_t *self);

#endif
