/* What happened in a conversation, event by event: the evidence, and all that a
 * verdict is made from besides the profile and the rules. */
#ifndef NOVA_CONVERSATION_TRANSCRIPT_H
#define NOVA_CONVERSATION_TRANSCRIPT_H

#include "conversation/script.h"

enum nova_entry_kind {
  NOVA_ENTRY_CONNECTING, /* the harness asks for a connection */
  NOVA_ENTRY_CONNECTED,  /* |since|: when it began */
  NOVA_ENTRY_REFUSED,    /* |bytes| says why; |code|: enum nova_event_code */
  NOVA_ENTRY_ACCEPTED,
  NOVA_ENTRY_SENT,     /* bytes of the harness; |since|: before the first byte;
                          |code|: 0 not out, 1 out before the next entry, 2 before
                          the one behind that, ... */
  NOVA_ENTRY_RECEIVED, /* bytes of the subject as they came from the network */
  NOVA_ENTRY_EOF,      /* the subject closed (FIN) */
  NOVA_ENTRY_RESET,    /* the subject or the network reset (RST) */
  NOVA_ENTRY_CLOSED,   /* the harness closed: |code| 0 FIN, 1 RST, 2 half */
  NOVA_ENTRY_HOOK,     /* a hook ended: |code|, |bytes| its output; |since| */
  NOVA_ENTRY_NOTE,     /* a sentence of the player: evidence was cut, ... */
  NOVA_ENTRY_LAG,      /* |since|: the timing error that counts from here on */
  NOVA_ENTRY_SECURED,  /* TLS: |bytes| tell about it, as of base/tls.h */
  NOVA_ENTRY_INSECURE, /* ... which failed */
  NOVA_ENTRY_EXITED,   /* the process of the device under test is gone: |code|,
                          |bytes| its output; |since| */
};

extern const char *const nova_entry_names[];

struct nova_masked; /* report/mask.h */

struct nova_entry {
  enum nova_entry_kind kind;
  nova_ts t, since; /* from the conversation's start */
  enum nova_actor from;
  unsigned connection; /* from 1; 0 for none */
  unsigned step;       /* that caused it (SENT, CONNECTING, HOOK); else 0 */
  int code;
  size_t size;            /* of the bytes, all of them */
  struct nova_view bytes; /* what is kept of them */
  /* Read back from a file: the places of |bytes| that were masked there and are
   * placeholders now, sorted; owned by the results. NULL and 0 in a live run.
   */
  const struct nova_masked *masked;
  size_t masked_n;
  const char *digest; /* read back shortened: SHA-256 of the whole, else NULL */
};

struct nova_transcript {
  const struct nova_mem *mem;
  struct nova_entry *entry;
  size_t n, cap;
  size_t kept, max; /* bytes of evidence kept, and the most that are */
  bool cut;         /* something was not kept */
};

/* |max|: the most bytes of evidence that are kept in all; as much again goes to
 * the entries themselves. */
void nova_transcript_init(struct nova_transcript *t, const struct nova_mem *mem,
                          size_t max);
void nova_transcript_free(struct nova_transcript *t);

/* Appends a copy of |e|. Where the evidence is full, the bytes are left out and
 * the size stands; where there are too many entries only |cut| is set.
 * Returns 0 or NOVA_ERR_NO_MEMORY. */
int nova_transcript_add(struct nova_transcript *t, const struct nova_entry *e);

#endif
