/* Whatever a device does, in whatever order: nothing is sent on a connection
 * that was ended, none is ended twice, and every conversation ends. */
#include "unit/conversation/serve_rig.h"

#include "base/rng.h"

#include <stdio.h>

static const char *const scripts[] = {
    LET_IN COMMAND("a", "cmd-a") AWAIT_ANSWER("a", "ONE") COMMAND("b", "cmd-b")
        AWAIT_ANSWER(
            "b", "TWO") "- server: close\n"
                        "- {device: connect, within: 20s, verifies: THREE}\n",
    LET_IN "- any_of:\n"
           "  - - {device: close, within: 5s, verifies: ONE}\n"
           "    - {device: connect, within: 9s, relies_on: PREPARED}\n"
           "  - - {device: send, message: {type: ping}, within: 9s, verifies: "
           "TWO}\n"
           "    - {server: send, message: {type: pong}, segments: bytes}\n"
           "  verifies: THREE\n"
           "- {device: repeat, message: {type: ping}, every: 5s, for: 20s, "
           "from: opened, verifies: ONE}\n",
    "- device: connect\n"
    "- {server: refuse, after: auth, message: {type: bye}}\n"
    "- {server: close, as: closed}\n"
    "- {device: attempts, at_most: 9, for: 9s, from: closed, verifies: ONE}\n",
    "- {device: connect, on: a}\n"
    "- {device: connect, on: b}\n"
    "- {server: send, on: a, message: {type: note}, segments: [2, 4], pause: "
    "1s}\n"
    "- {server: repeat, on: b, message: {type: note}, every: 1s}\n"
    "- {device: silent, on: b, for: 3s, message: {type: ping}, verifies: ONE}\n"
    "- {server: half_close, on: b}\n"
    "- {device: connect, on: a}\n"
    "- {server: refuse}\n"
    "- {device: send, on: a, message: {type: status}, within: 9s, missing: "
    "ONE, verifies: TWO}\n"};

static const char *const words[] = {
    AUTH,
    PING,
    PING PING,
    ANSWER("\"cmd-a\""),
    ANSWER("\"cmd-b\""),
    ANSWER("\"x\""),
    ANSWER("7"),
    "{\"type\":\"status\",\"status\":\"online\"}\n",
    "{\"half\":",
    "1}\n",
    "\n",
    "\r\n\n\n",
    "no json\n",
    "{\"type\":\"ping\",\"type\":\"ping\"}\n",
    "{\"device_key\":1}\n",
    "\xff\xfe",
};

static void storm(uint64_t seed) {
  struct nova_rng rng;
  nova_rng_init(&rng, seed);
  rig_error = nova_rng_below(&rng, 3) * NOVA_MS;
  rig_holds = nova_rng_below(&rng, 4) == 0;
  rig_again = nova_rng_below(&rng, 2) == 0;
  rig_begin(scripts[seed % (sizeof scripts / sizeof *scripts)]);
  unsigned connections = 0;
  nova_ts t = 0;
  for (unsigned i = 0; i < 120; i++) {
    if (nova_rng_below(&rng, 2) == 0)
      t += nova_rng_below(&rng, 400) * NOVA_MS;
    nova_ts when = nova_rng_below(&rng, 8) == 0 && t > NOVA_SEC
                       ? t - nova_rng_below(&rng, NOVA_SEC)
                       : t;
    unsigned n = 1 + (unsigned)nova_rng_below(&rng, connections + 1);
    switch (nova_rng_below(&rng, 10)) {
    case 0:
    case 1:
    case 2: rig_connects(when, ++connections); break;
    case 3: rig_closes(when, n); break;
    case 4: rig_resets(when, n); break;
    case 5:
      if (nova_rng_below(&rng, 20) == 0)
        rig_exits(when, (int)nova_rng_below(&rng, 4) - 3);
      else if (rig_holds)
        rig_out(t);
      break;
    default:
      rig_says(when, n,
               words[nova_rng_below(&rng, sizeof words / sizeof *words)]);
      break;
    }
  }
  rig_end();
  const char *reason = NULL;
  nova_player_verdict(rig_player, &reason);
  size_t checks;
  const struct nova_check *c = nova_player_checks(rig_player, &checks);
  for (size_t i = 0; i < checks; i++)
    if (c[i].verdict == NOVA_VERDICT_FAIL)
      cr_assert(c[i].expected != NULL && c[i].observed != NULL &&
                    c[i].reason != NULL,
                "seed %llu: %s", (unsigned long long)seed, c[i].requirement);
}

SERVE_TEST(storm, of_events_in_any_order) {
  for (uint64_t seed = 0; seed < 1500; seed++)
    storm(seed);
}

/* The player is done in the middle of what is told. */
SERVE_TEST(storm, behind_the_end) {
  rig_begin("- device: connect\n"
            "- {device: send, message: {type: ping}, verifies: ONE}\n");
  rig_connects(0, 1);
  rig_says(0, 1, PING AUTH PING "{\"half\"");
  cr_expect(nova_player_done(rig_player));
  size_t n, more;
  nova_player_checks(rig_player, &n);
  rig_says(NOVA_SEC, 1, "no json\n");
  rig_resets(NOVA_SEC, 1);
  rig_connects(NOVA_SEC, 2);
  nova_player_checks(rig_player, &more);
  cr_expect_eq(n, more);
}
