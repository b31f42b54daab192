/* A run: plans conversations over credentials and connections, plays them side
 * by side over a transport, tries again what was disturbed, and collects the
 * results. Sans-I/O like everything above net/: it speaks to a nova_transport,
 * which is the real network or the simulated one.
 *
 * Order: what may crash a careless subject comes after what cannot; inside that
 * the longest first, so that the run lasts about as long as its longest
 * conversation; what changes the platform for good comes last, one by one. What
 * may crash a careless subject is never beside another of its kind, so that it
 * is known which one did.
 *
 * A conversation whose connection ended while another one was sending what may
 * crash the subject, or while others lost theirs too, may be a victim: it is
 * tried again when nothing of that kind is under way, and only the second
 * outcome counts. So is one that a timing error made inconclusive. */
#ifndef NOVA_RUN_RUN_H
#define NOVA_RUN_RUN_H

#include "base/transport.h"
#include "conversation/catalog.h"
#include "conversation/player.h"
#include "verdict/results.h"

struct nova_run;

/* What is told while it runs. */
enum nova_run_news_kind {
  NOVA_RUN_PLANNED, /* |count| conversations, |left|: the estimate for all */
  NOVA_RUN_STARTED,
  NOVA_RUN_KEPT,      /* |result| is one of those that were judged before */
  NOVA_RUN_ENDED,     /* |result| is final */
  NOVA_RUN_POSTPONED, /* nobody came for it; it starts anew later */
  NOVA_RUN_AGAIN,     /* it will be tried again, |reason| */
  NOVA_RUN_OVER,
};

struct nova_run_news {
  enum nova_run_news_kind kind;
  const struct nova_script *script;
  const struct nova_conversation_result *result;
  const char *reason;
  size_t count;
};

/* What a run waits for, for whoever operates the device. */
struct nova_run_wait {
  const struct nova_script *script;
  const char *device; /* its id; NULL for none */
  char text[160];
  bool act;     /* the device has not come yet: somebody may have to help */
  nova_ts left; /* until it goes on at the latest; NONE: no bound */
};

struct nova_run_options {
  const struct nova_mem *mem;
  const struct nova_catalog *catalog; /* outlives the run */
  const struct nova_profile *profile; /* likewise */
  struct nova_transport *transport;   /* its handler is set by the run */
  uint64_t seed;
  const char *const *only, *const *skip; /* globs, NULL-terminated, or NULL */
  unsigned jobs;                         /* at once, 0: as many as fit */
  /* A device under test: the command that starts one, split into words, with
   * its placeholders (run/command.h); NULL: it is operated by hand and connects
   * when it likes. */
  const char *const *spawn;
  /* A second, independent client: the platform's connections to a server under
   * test and the devices of scripts that ask for it are made through it
   * (net/library.h); NULL: through |transport| as all others. Its handler is
   * set by the run, too. */
  struct nova_transport *library;
  /* TLS to a server under test: whom it has to be of (PEM; empty: the
   * system's), and the device's own certificate. */
  struct nova_view ca;
  struct nova_pem own;
  /* A device under test over TLS: what the harness presents, and where the
   * files for a spawned device are. NULL where there is no TLS. */
  const struct nova_certificates *certificates;
  const char *ca_file, *client_cert_file, *client_key_file;
  /* Conversations that were judged before: their results stand and they are not
   * played. Outlive the run. */
  const struct nova_conversation_result *kept;
  size_t kept_n;
  /* Each hook's words, NULL where it is not given; the folder they start in. */
  const char *const *hook[NOVA_HOOKS];
  const char *hook_folder;
  /* The measured timing error of this moment in ns; NULL for none. */
  nova_ts (*timing_error)(void *user);
  /* News; NULL for none. Called from the transport's loop. */
  void (*news)(void *user, const struct nova_run_news *news);
  void *user;
};

/* Returns NULL without memory or with a bad argument (no address). */
struct nova_run *nova_run_new(const struct nova_run_options *o);
void nova_run_free(struct nova_run *r);

/* Begins; the transport's loop does the rest until nova_run_over().
 * |why|: on failure the reason in plain words, valid until the next call into
 *        the transport.
 * Returns 0, or NOVA_ERR_ARGUMENT: for a device that is operated by hand the
 * profile's address cannot be listened on. */
int nova_run_start(struct nova_run *r, const char **why);
bool nova_run_over(const struct nova_run *r);

/* Ends it: what runs is inconclusive, what did not start not tested, both with
 * |reason|. */
void nova_run_interrupt(struct nova_run *r, const char *reason);

/* The results, judged; owned by the run and valid until it is freed.
 * |expect|: as in nova_verdict_judge(). NULL without memory. */
struct nova_expect;
struct nova_results *nova_run_results(struct nova_run *r,
                                      const struct nova_expect *expect);

/* What is under way, for the live line: fills |out| with at most |cap| scripts,
 * returns how many there are; |left|: the time that the run will still take. */
size_t nova_run_active(const struct nova_run *r, const struct nova_script **out,
                       size_t cap, nova_ts *left);

/* What the conversations under way wait for: fills |out| with at most |cap|,
 * returns how many there are. */
size_t nova_run_waits(const struct nova_run *r, bool chinese,
                      struct nova_run_wait *out, size_t cap);

/* The port of that transport that a device operated by hand has to connect to;
 * 0 where there is none. */
uint16_t nova_run_port(const struct nova_run *r, enum nova_link_kind over);

/* How long a conversation is expected to take. */
nova_ts nova_run_estimate(const struct nova_script *s,
                          const struct nova_timers *t);

/* Whether these globs (as in nova_run_options) leave anything to play. */
bool nova_run_any(const struct nova_catalog *c, enum nova_role subject,
                  const char *const *only, const char *const *skip);

/* Whether |text| matches a glob of * and ?. */
bool nova_glob(const char *glob, const char *text);

#endif
