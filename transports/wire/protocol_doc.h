/* transports/wire/protocol_doc.h: docs/protocol.md, printed from the tables the codec walks. */
#ifndef CF_PROTOCOL_DOC_H
#define CF_PROTOCOL_DOC_H

#include <stdio.h>

/* Markdown: the head's layout, then every message with its number, fields and bounds. */
void cf_protocol_doc(FILE *out);

#endif
