/* A result made by hand, as realistic as the reports need it: passes, a late
 * and an early failure, an inconclusive one, some not tested, binary and huge
 * payloads, keys in every dress, hostile text. */
#ifndef TESTS_REPORT_SAMPLE_H
#define TESTS_REPORT_SAMPLE_H

#include "report/mask.h"
#include "report/sink.h"
#include "verdict/results.h"

#define SAMPLE_KEY      "k7Qz-\"9\\secret/31"
#define SAMPLE_OTHER    "second-device-key-0002"
#define SAMPLE_NEW_KEY  "rotated-key-XYZ-778"
#define SAMPLE_SHORT    "abc"
#define SAMPLE_PASSWORD "platform%pass word"
#define SAMPLE_WRONG    "k7Qz-\"9\\secret/3"
/* Of a client that is none of the profile's. */
#define SAMPLE_UNKNOWN "somebody-elses-pass-03"

struct sample {
  struct nova_arena arena;
  struct nova_profile profile;
  struct nova_results results;
  struct nova_mask mask;
};

/* |clean|: without the hostile text, for golden files. */
void sample_init(struct sample *s, bool clean);
void sample_free(struct sample *s);

/* Fills summary and tallies from the requirements. */
void sample_tally(struct nova_results *r);

/* Writes |v| to the folder that NOVA_REPORT_OUT names, if it does: for the
 * scripts that look at reports with other programs. */
void sample_keep(const char *name, struct nova_view v);

/* A view of a literal with its NULs. */
#define BYTES(s) ((struct nova_view){(s), sizeof(s) - 1})

#endif
