/* actors/dead_letters.h: shows which commands the bot could not carry out. */
#ifndef CF_DEAD_LETTERS_H
#define CF_DEAD_LETTERS_H

#include "config.h"

/* `confab dead-letters`: prints one JSON object a line, oldest first: id, time, room, command,
 * reason, attempts. Only reads; the server may run. file is not looked at. Returns an exit code. */
int cf_dead_letters_print(const cf_config_t *config, const char *file);

#endif
