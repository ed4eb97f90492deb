/* bench/ledger_file.h: the record of one run, one line for each event, which
 * tests/support/ledger.py judges. A line is with the kernel before the next event is handled, so
 * that it survives the end of this process. Each starts with CLOCK_MONOTONIC in microseconds: RUN
 * run                     OPEN client room            (a socket is in its room) SENT writer n crc
 * ACK writer n id seq         REFUSED writer n code RECV reader id seq writer n crc (posts of
 * others: - - -) CLOSE client code           RESUME client pos verdict */
#ifndef CF_LEDGER_FILE_H
#define CF_LEDGER_FILE_H

typedef struct cf_ledger cf_ledger_t;

/* Appends to the file at path. Returns 0, or -1 with errno. */
int cf_ledger_open(cf_ledger_t **out, const char *path);
/* A NULL ledger takes every line and writes none. A line that cannot be written ends the process: a
 * ledger with holes proves nothing. */
void cf_ledger_add(cf_ledger_t *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void cf_ledger_close(cf_ledger_t **self);

#endif
