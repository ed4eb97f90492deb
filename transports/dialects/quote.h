/* transports/dialects/quote.h: what the quote service answers: CSV (RFC 4180), of which the second
 * record counts (rooms contract, 8.2). It comes from outside: any bytes are taken, none believed. */
#ifndef CF_DIALECT_QUOTE_H
#define CF_DIALECT_QUOTE_H

#include <stddef.h>

#define CF_QUOTE_SYMBOL_MAX 32 /* code points */
#define CF_QUOTE_PRICE_MAX 24  /* characters of a price with two decimals, below 10^15 */

typedef struct {
    char symbol[4 * CF_QUOTE_SYMBOL_MAX + 1]; /* as the service writes it; printable UTF-8 */
    char price[CF_QUOTE_PRICE_MAX + 1];       /* "93.42" */
} cf_quote_t;

/* Returns 0; CF_ENOENT: "N/D" as symbol or price, there is no such stock; CF_EPROTO: anything else.
 * *out is written with 0 only. */
int cf_quote_read(cf_quote_t *out, const char *bytes, size_t size);

#endif
