#include "config_foreign.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SECRET_MIN 32 /* characters; what the rooms contract asks of SESSION_SECRET */
#define COUNT_MAX 1000000

typedef bool check_fn(const char *value, bool in_production, char *fault);

static bool refuse(char *fault, const char *text)
{
    snprintf(fault, CF_CONFIG_FOREIGN_FAULT_MAX, "%s", text);
    return false;
}

static bool check_broker(const char *value, bool in_production, char *fault)
{
    (void)in_production;
    return strncmp(value, "amqp://", 7) == 0 || strncmp(value, "amqps://", 8) == 0 ||
           refuse(fault, "begins neither with amqp:// nor with amqps://");
}

static bool check_name(const char *value, bool in_production, char *fault)
{
    (void)in_production;
    for (const char *c = value; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._-:", *c))
            return refuse(fault, "is no name of letters, digits and . _ - :");
    return true;
}

static bool check_count(const char *value, bool in_production, char *fault)
{
    long count = 0;
    (void)in_production;
    for (const char *c = value; *c; c++) {
        count = count * 10 + (*c - '0');
        if (!isdigit((unsigned char)*c) || count > COUNT_MAX)
            return refuse(fault, "is no whole number up to 1000000");
    }
    return true;
}

static bool check_secret(const char *value, bool in_production, char *fault)
{
    if (!in_production)
        return true;
    if (cf_config_is_placeholder(value))
        return refuse(fault, "is the placeholder of an example");
    return strlen(value) >= SECRET_MIN || refuse(fault, "is shorter than 32 characters");
}

#define NO_BROKER "actors pass messages themselves; there is no broker"

static const struct {
    cf_config_foreign_t foreign;
    check_fn *check;
} rows[] = {
    {{"RABBITMQ_URL", NO_BROKER}, check_broker},
    {{"RABBITMQ_EXCHANGE_COMMANDS", NO_BROKER}, check_name},
    {{"RABBITMQ_EXCHANGE_RESPONSES", NO_BROKER}, check_name},
    {{"RABBITMQ_QUEUE_STOCK_COMMANDS", NO_BROKER}, check_name},
    {{"DB_MAX_IDLE_CONNECTIONS",
      "every connection to the store belongs to one thread, which keeps it"},
     check_count},
    {{"SESSION_SECRET",
      "a session's token is random, and the store has its hash; nothing is signed"},
     check_secret},
};

const cf_config_foreign_t *cf_config_foreign(size_t i)
{
    return i < sizeof rows / sizeof rows[0] ? &rows[i].foreign : NULL;
}

bool cf_config_foreign_check(size_t i, const char *value, bool in_production,
                             char fault[CF_CONFIG_FOREIGN_FAULT_MAX])
{
    return rows[i].check(value, in_production, fault);
}

bool cf_config_is_placeholder(const char *secret)
{
    static const char *const parts[] = {"change-me",    "change_me",   "change-this", "change_this",
                                        "replace_with", "placeholder", "your-",       "your_"};
    static const char *const words[] = {"admin",    "changeme", "default", "demo", "example",
                                        "password", "secret",   "test",    "12345"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strcasestr(secret, parts[i]))
            return true;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(secret, words[i]) == 0)
            return true;
    return false;
}
