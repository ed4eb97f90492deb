/* The quote service's CSV, from good to hostile. */
#include "dialects/quote.h"
#include "err.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(quote, .timeout = 30);

#define HEADER "Symbol,Date,Time,Open,High,Low,Close,Volume\r\n"
#define ROW(symbol, close) symbol ",2026-01-28,22:00:01,1.0,2.0,0.5," close ",1234567"

/* What is read of a copy of its own size, so that a sanitizer sees a read past it. */
static int read_bytes(cf_quote_t *quote, const char *bytes, size_t size)
{
    char *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    int rc = cf_quote_read(quote, copy, size);
    free(copy);
    return rc;
}

/* "SYMBOL PRICE", "not found" or "bad" */
static char *reading(const char *text)
{
    static char out[256];
    cf_quote_t quote;
    memset(&quote, 'x', sizeof quote);
    int rc = read_bytes(&quote, text, strlen(text));
    cr_assert(rc == 0 || quote.symbol[0] == 'x'); /* nothing is written of a failure */
    if (rc == 0)
        snprintf(out, sizeof out, "%s %s", quote.symbol, quote.price);
    else
        snprintf(out, sizeof out, "%s", rc == CF_ENOENT ? "not found" : "bad");
    cr_assert(rc == 0 || rc == CF_ENOENT || rc == CF_EPROTO);
    return out;
}

static char *price_of(const char *close)
{
    static char text[8192];
    snprintf(text, sizeof text, HEADER "A.US,d,t,1,2,3,%s,5\r\n", close);
    char *read = reading(text);
    return strncmp(read, "A.US ", 5) == 0 ? read + 5 : read;
}

Test(quote, reads_symbol_and_price_of_the_second_record)
{
    cr_expect(eq(str, reading(HEADER ROW("AAPL.US", "93.42") "\r\n"), "AAPL.US 93.42"));
    cr_expect(eq(str, reading(HEADER ROW("AAPL.US", "93.42")), "AAPL.US 93.42"));
    cr_expect(eq(str, reading("a,b,c,d,e,f,g\n1,2,3,4,5,6,7\n"), "1 7.00"));
    cr_expect(eq(str, reading("a,b,c,d,e,f,g\n1,2,3,4,5,6,7\r"), "1 7.00"));
    cr_expect(eq(str, reading("\n\r\na,b,c,d,e,f,g\n\n\n1,2,3,4,5,6,7\n\n"), "1 7.00"));
    cr_expect(eq(str, reading(HEADER ROW("A", "1") "\r\n" ROW("B", "2") "\r\n"), "A 1.00"));
    cr_expect(eq(str, reading(HEADER ROW("\xe2\x82\xac\xf0\x9f\x98\x80", "1")),
                 "\xe2\x82\xac\xf0\x9f\x98\x80 1.00"));
}

Test(quote, reads_fields_in_quotes)
{
    cr_expect(eq(str, reading(HEADER ROW("\"A,\"\"B\"\"\"", "\"1.5\"") "\n"), "A,\"B\" 1.50"));
    cr_expect(eq(str, reading("\"a\",b,c,d,e,f,g\nA,\"x\ny\",\"\",4,5,6,\"7\""), "A 7.00"));
    cr_expect(eq(str, reading(HEADER ROW("\"A", "1")), "bad"));      /* does not end */
    cr_expect(eq(str, reading(HEADER ROW("\"A\"x", "1")), "bad"));   /* goes on behind it */
    cr_expect(eq(str, reading(HEADER ROW("A\"B\"", "1")), "bad"));   /* a quote in plain text */
    cr_expect(eq(str, reading(HEADER ROW("\"A\nB\"", "1")), "bad")); /* a symbol of two lines */
    cr_expect(eq(str, reading("\""), "bad"));
    cr_expect(eq(str, reading(HEADER "\""), "bad"));
}

Test(quote, knows_that_there_is_no_such_stock)
{
    cr_expect(eq(str, reading(HEADER ROW("N/D", "1")), "not found"));
    cr_expect(eq(str, reading(HEADER ROW("XYZ", "N/D")), "not found"));
    cr_expect(eq(str, reading(HEADER "XYZ,N/D,N/D,N/D,N/D,N/D,N/D,N/D\r\n"), "not found"));
    cr_expect(eq(str, reading(HEADER ROW("XYZ", "n/d")), "bad"));
    cr_expect(eq(str, reading(HEADER ROW("XYZ", "N/D ")), "bad"));
    cr_expect(eq(str, reading(HEADER "XYZ,N/D,N/D,1,2,3,4.5,N/D\r\n"), "XYZ 4.50"));
}

Test(quote, refuses_what_is_no_table_of_seven_columns_or_more)
{
    cr_expect(eq(str, reading(""), "bad"));
    cr_expect(eq(str, reading("\r\n\r\n"), "bad"));
    cr_expect(eq(str, reading(HEADER), "bad"));
    cr_expect(eq(str, reading("a,b,c,d,e,f\n1,2,3,4,5,6\n"), "bad"));
    cr_expect(eq(str, reading("a,b,c,d,e,f,g\n1,2,3,4,5,6,7,8\n"), "bad"));
    cr_expect(eq(str, reading("a,b,c,d,e,f,g,h\n1,2,3,4,5,6,7\n"), "bad"));
    cr_expect(eq(str, reading("a,b,c,d,e,f,g\n1,2,3,4,5,6,7\n1,2\n"), "bad"));
    cr_expect(eq(str,
                 reading("<!DOCTYPE html>\n<html lang=\"en\"><body>Sorry, no, not, today, at, "
                         "all, friend</body></html>\n"),
                 "bad"));
    cr_expect(eq(str, reading("Exceeded the daily hits limit"), "bad"));
}

Test(quote, prints_prices_with_two_decimals)
{
    static const struct {
        const char *close, *price;
    } cases[] = {
        {"93.42", "93.42"},
        {"93", "93.00"},
        {"0", "0.00"},
        {"0.0", "0.00"},
        {"-0", "0.00"},
        {"-0.001", "0.00"},
        {"-37.63", "-37.63"}, /* oil, on 20 April 2020 */
        {"+1.5", "1.50"},
        {".5", "0.50"},
        {"5.", "5.00"},
        {"0.005", "0.01"},
        {"0.0049999999999999999", "0.01"}, /* the nearest double to it is that of 0.005 */
        {"0.0049", "0.00"},
        {"1.005", "1.00"}, /* the nearest double is below it */
        {"2.675", "2.67"},
        {"0.125", "0.12"}, /* a tie goes to the even digit */
        {"0.375", "0.38"},
        {"99.999", "100.00"},
        {"93.4200000000000000000000000000000000000000001", "93.42"},
        {"1e2", "100.00"},
        {"1.5E-1", "0.15"},
        {"1e-400", "0.00"},
        {"1234567.891", "1234567.89"},
        {"99999999999999.12", "99999999999999.12"},
        {"1e15", "bad"},
        {"-1e15", "bad"},
        {"1e400", "bad"},
        {"NaN", "bad"},
        {"nan", "bad"},
        {"Inf", "bad"},
        {"-inf", "bad"},
        {"infinity", "bad"},
        {"0x1p3", "bad"},
        {"0x10", "bad"},
        {"e5", "bad"},
        {".e5", "bad"},
        {"1e", "bad"},
        {"1e+", "bad"},
        {"1e5.5", "bad"},
        {".", "bad"},
        {"", "bad"},
        {"-", "bad"},
        {"+-1", "bad"},
        {"1 ", "bad"},
        {" 1", "bad"},
        {"1.2.3", "bad"},
        {"\"1,5\"", "bad"},
        {"1_000", "bad"},
        {"\xd9\xa1", "bad"}, /* an Arabic digit */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect(eq(str, price_of(cases[i].close), (char *)cases[i].price), "'%s'",
                  cases[i].close);
    char digits[4001];
    memset(digits, '1', 4000);
    digits[4000] = '\0';
    cr_expect(eq(str, price_of(digits), "bad"));
    digits[1] = '.';
    cr_expect(eq(str, price_of(digits), "bad"));
    digits[256] = '\0';
    cr_expect(eq(str, price_of(digits), "1.11"));
    digits[256] = '1';
    digits[257] = '\0';
    cr_expect(eq(str, price_of(digits), "bad"));
}

Test(quote, takes_a_symbol_that_can_be_shown)
{
    static const char *const bad[] = {
        "",
        "\x01",
        "A\tB",
        "A\x7f",
        "\xc2\x85",         /* C1 */
        "\xe2\x80\xae\x41", /* right to left override */
        "\xe2\x80\xa8\x41", /* line separator */
        "\xe2\x80\x8b\x41", /* zero width */
        "\xef\xbb\xbf\x41", /* byte order mark */
        "\xff",
        "\xc3\x28",
        "\xed\xa0\x80",                      /* a surrogate */
        "A23456789012345678901234567890123", /* 33 */
    };
    char text[1024];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, HEADER "%s,d,t,1,2,3,4,5\n", bad[i]);
        cr_expect(eq(str, reading(text), "bad"), "%zu", i);
    }
    cr_expect(eq(str, reading(HEADER ROW("A2345678901234567890123456789012", "1")),
                 "A2345678901234567890123456789012 1.00"));
    char *at = stpcpy(text, HEADER);
    for (int i = 0; i < CF_QUOTE_SYMBOL_MAX; i++)
        at = stpcpy(at, "\xf0\x9f\x98\x80");
    strcpy(at, ",d,t,1,2,3,4,5\n");
    char *read = reading(text);
    cr_expect(eq(sz, strlen(read), 4 * CF_QUOTE_SYMBOL_MAX + strlen(" 4.00")));
}

Test(quote, takes_a_nul_for_what_it_is)
{
    static const char in_symbol[] = HEADER "A\0B,d,t,1,2,3,4,5\n",
                      in_price[] = HEADER "A,d,t,1,2,3,4\0,5\n";
    cf_quote_t quote;
    cr_expect(eq(int, read_bytes(&quote, in_symbol, sizeof in_symbol - 1), CF_EPROTO));
    cr_expect(eq(int, read_bytes(&quote, in_price, sizeof in_price - 1), CF_EPROTO));
}

Test(quote, reads_a_million_columns_without_memory_for_them)
{
    enum { COLUMNS = 1000000 };
    size_t size = 2 * 2 * COLUMNS;
    char *text = malloc(size + 1);
    for (size_t i = 0; i < size; i += 2) {
        text[i] = '1';
        text[i + 1] = (i / 2 + 1) % COLUMNS == 0 ? '\n' : ',';
    }
    text[size] = '\0';
    cr_expect(eq(str, reading(text), "1 1.00"));
    text[1] = '\n';
    cr_expect(eq(str, reading(text), "bad"));
    free(text);
}

Test(quote, reads_every_beginning_of_an_answer_without_harm)
{
    static const char whole[] = HEADER ROW("\"AAPL.US\"", "93.42") "\r\n";
    cf_quote_t quote;
    for (size_t size = 0; size < sizeof whole; size++) {
        int rc = read_bytes(&quote, whole, size);
        cr_expect(rc == 0 || rc == CF_EPROTO, "%zu", size);
    }
}
