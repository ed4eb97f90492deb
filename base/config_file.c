#include "config_file.h"
#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#define LIST_MAX 64
#define NAME_MAX_BYTES 96

typedef struct {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    const char *name;   /* of the file, for reports */
    cf_config_entry_fn *entry;
    void *arg;
    cf_buf_t *report;
    char section[NAME_MAX_BYTES];
    char key[NAME_MAX_BYTES];
} reader_t;

static int fault(reader_t *self, size_t line, const char *text)
{
    int rc = cf_buf_addf(self->report, "%s:%zu: %s\n", self->name, line + 1, text);
    return rc < 0 ? rc : CF_EPROTO;
}

static int fault_here(reader_t *self, const char *text)
{
    return fault(self, self->event.start_mark.line, text);
}

/* Moves to the next event. */
static int next(reader_t *self)
{
    yaml_event_delete(&self->event);
    if (yaml_parser_parse(&self->parser, &self->event))
        return 0;
    if (self->parser.error == YAML_MEMORY_ERROR)
        return CF_ENOMEM;
    return fault(self, self->parser.problem_mark.line,
                 self->parser.problem ? self->parser.problem : "not YAML");
}

static int expect(reader_t *self, yaml_event_type_t type, const char *otherwise)
{
    int rc = next(self);
    if (rc < 0)
        return rc;
    return self->event.type == type ? 0 : fault_here(self, otherwise);
}

/* The current scalar's text; NULL if it holds a NUL or is an alias' target. */
static const char *scalar(const reader_t *self)
{
    const char *text = (const char *)self->event.data.scalar.value;
    bool whole = strlen(text) == self->event.data.scalar.length;
    return whole && !self->event.data.scalar.anchor ? text : NULL;
}

static int take_name(reader_t *self, char out[NAME_MAX_BYTES])
{
    const char *text = scalar(self);
    if (!text || strlen(text) >= NAME_MAX_BYTES)
        return fault_here(self, "not a name");
    strcpy(out, text); /* its length was just checked */
    return 0;
}

/* An empty plain scalar (`key:`) leaves the default. */
static int take_single(reader_t *self)
{
    const char *text = scalar(self);
    if (!text)
        return fault_here(self, "a NUL or an anchor");
    bool unset = text[0] == '\0' && self->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    cf_config_list_t value = {&text, 1};
    return unset ? 0
                 : self->entry(self->arg, self->section, self->key, &value,
                               self->event.start_mark.line + 1);
}

static int take_list(reader_t *self)
{
    char *items[LIST_MAX];
    cf_config_list_t value = {(const char *const *)items, 0};
    size_t line = self->event.start_mark.line;
    int rc;
    while ((rc = next(self)) == 0 && self->event.type == YAML_SCALAR_EVENT) {
        const char *text = scalar(self);
        if (!text || value.count == LIST_MAX) {
            rc = fault_here(self, text ? "too many entries" : "a NUL or an anchor");
            break;
        }
        if (!(items[value.count] = strdup(text))) {
            rc = CF_ENOMEM;
            break;
        }
        value.count++;
    }
    if (rc == 0 && self->event.type != YAML_SEQUENCE_END_EVENT)
        rc = fault_here(self, "a list holds plain values only");
    if (rc == 0)
        rc = self->entry(self->arg, self->section, self->key, &value, line + 1);
    while (value.count)
        free(items[--value.count]);
    return rc;
}

static int take_section(reader_t *self)
{
    int rc = take_name(self, self->section);
    if (rc == 0)
        rc = next(self);
    if (rc < 0)
        return rc;
    if (self->event.type == YAML_SCALAR_EVENT && self->event.data.scalar.length == 0)
        return 0; /* `section:` with nothing in it */
    if (self->event.type != YAML_MAPPING_START_EVENT)
        return fault_here(self, "a section holds keys (section:, then indented key: value)");
    while ((rc = next(self)) == 0 && self->event.type == YAML_SCALAR_EVENT) {
        if ((rc = take_name(self, self->key)) < 0 || (rc = next(self)) < 0)
            return rc;
        if (self->event.type == YAML_SCALAR_EVENT)
            rc = take_single(self);
        else if (self->event.type == YAML_SEQUENCE_START_EVENT)
            rc = take_list(self);
        else
            rc = fault_here(self, "a key has one value or a list of values");
        if (rc < 0)
            return rc;
    }
    if (rc == 0 && self->event.type != YAML_MAPPING_END_EVENT)
        rc = fault_here(self, "not a name");
    return rc;
}

static int take_document(reader_t *self)
{
    int rc = next(self);
    if (rc < 0)
        return rc;
    if (self->event.type == YAML_SCALAR_EVENT && self->event.data.scalar.length == 0)
        return 0;
    if (self->event.type != YAML_MAPPING_START_EVENT)
        return fault_here(self, "not a list of sections");
    while ((rc = next(self)) == 0 && self->event.type == YAML_SCALAR_EVENT)
        if ((rc = take_section(self)) < 0)
            return rc;
    if (rc == 0 && self->event.type != YAML_MAPPING_END_EVENT)
        rc = fault_here(self, "not a name");
    return rc;
}

static int take_stream(reader_t *self)
{
    int rc = expect(self, YAML_STREAM_START_EVENT, "not YAML");
    if (rc == 0)
        rc = next(self);
    if (rc < 0 || self->event.type == YAML_STREAM_END_EVENT)
        return rc; /* an empty file is fine */
    rc = take_document(self);
    if (rc == 0)
        rc = expect(self, YAML_DOCUMENT_END_EVENT, "more than one document");
    if (rc == 0)
        rc = expect(self, YAML_STREAM_END_EVENT, "more than one document");
    return rc;
}

int cf_config_file_read(cf_str_t text, const char *name, cf_config_entry_fn *entry, void *arg,
                        cf_buf_t *report)
{
    reader_t self = {.name = name, .entry = entry, .arg = arg, .report = report};
    if (text.size == 0)
        return 0; /* nothing set; libyaml takes no empty input */
    if (!yaml_parser_initialize(&self.parser))
        return CF_ENOMEM;
    yaml_parser_set_input_string(&self.parser, (const unsigned char *)text.bytes, text.size);
    int rc = take_stream(&self);
    yaml_event_delete(&self.event);
    yaml_parser_delete(&self.parser);
    return rc;
}

int cf_config_file_load(cf_buf_t *out, const char *path, size_t max)
{
    int rc = 0;
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hang the start */
    if (fd < 0)
        return CF_EIO;
    if (fstat(fd, &status) < 0)
        rc = CF_EIO;
    else if (!S_ISREG(status.st_mode) || (uintmax_t)status.st_size > max)
        rc = CF_ERANGE;
    while (rc == 0 && (rc = cf_buf_reserve(out, 4096)) == 0) {
        ssize_t got = read(fd, out->data + out->size, 4096);
        if (got == 0)
            break;
        if (got < 0)
            rc = errno == EINTR ? 0 : CF_EIO;
        else
            out->size += (size_t)got;
        if (out->size > max) /* it grew while being read */
            rc = CF_ERANGE;
    }
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return rc;
}
