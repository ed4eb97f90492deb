/* Any bytes as the quote service's answer: what is read of them can be shown to a whole room. */
#include "dialects/quote.h"
#include "err.h"
#include "utf8.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_price(const char *price)
{
    size_t size = strlen(price), at = price[0] == '-';
    check(size >= 4 + at && size <= CF_QUOTE_PRICE_MAX && price[size - 3] == '.');
    for (size_t i = at; i < size; i++)
        check(i == size - 3 || isdigit((unsigned char)price[i]));
    check(strcmp(price, "-0.00") != 0);
}

static void check_symbol(const char *symbol)
{
    size_t size = strlen(symbol);
    check(size > 0 && cf_utf8_valid(symbol, size));
    check(cf_utf8_count(symbol, size) <= CF_QUOTE_SYMBOL_MAX);
    for (size_t i = 0; i < size; i++)
        check(!iscntrl((unsigned char)symbol[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    cf_quote_t quote, untouched;
    memset(&quote, 0x5a, sizeof quote);
    untouched = quote;
    char *copy = malloc(size ? size : 1); /* a block of its own: any step beyond it is seen */
    memcpy(copy, bytes, size);
    int rc = cf_quote_read(&quote, copy, size);
    check(rc == 0 || rc == CF_ENOENT || rc == CF_EPROTO);
    if (rc == 0) {
        check_symbol(quote.symbol);
        check_price(quote.price);
    } else {
        check(memcmp(&quote, &untouched, sizeof quote) == 0);
    }
    free(copy);
    return 0;
}
