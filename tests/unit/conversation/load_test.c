/* Scripts that must fail, each with the exact message and its place. */
#include "conversation/catalog.h"

#include <criterion/criterion.h>

#define REQUIREMENTS                                                           \
  "requirements:\n"                                                            \
  "- {id: S-1, section: '1', binds: server, level: must, basis: stated, en: "  \
  "a, zh: b, judge: c}\n"                                                      \
  "- {id: S-2, section: '1', binds: server, level: may, basis: stated, en: "   \
  "a, zh: b, judge: c}\n"                                                      \
  "- {id: D-1, section: '1', binds: device, level: must, basis: stated, en: "  \
  "a, zh: b, judge: c}\n"

#define HEAD                                                                   \
  "conversation: tcp-x\n"                                                      \
  "title: {en: a, zh: b}\n"                                                    \
  "transport: tcp\n"                                                           \
  "steps:\n"                                                                   \
  "- device: connect\n"

static struct nova_catalog catalog;
static struct nova_diag diag;

static int load(const char *file, const char *text) {
  struct nova_spec_file f = {file, text, strlen(text)};
  return nova_catalog_add(&catalog, &f, &diag);
}

static void setup(void) {
  nova_catalog_init(&catalog, NULL);
  nova_diag_init(&diag, NULL);
  cr_assert_eq(load("requirements.yaml", REQUIREMENTS), 0, "%s",
               nova_buf_cstr(&diag.text));
}

static void teardown(void) {
  nova_catalog_free(&catalog);
  nova_diag_free(&diag);
}

static const struct {
  const char *text, *message;
} bad[] = {
    {"", "x.yaml:1:1: the file is empty\n"},
    {"steps: []\n",
     "x.yaml:1:1: expected one of the keys conversation, fragment, rules, "
     "requirements\n"},
    {"conversation: Tcp\n",
     "x.yaml:1:15: an id has small letters, digits and hyphens\n"},
    {"conversation: tcp-x\nconversation: tcp-y\n",
     "x.yaml:2:1: the key \"conversation\" stands here twice\n"},
    {"conversation: &a tcp-x\n",
     "x.yaml:1:18: anchors and tags are not used in these files\n"},
    {"conversation: tcp-x\ntitel: a\n", "x.yaml:2:1: unknown key \"titel\"\n"},
    {"conversation: tcp-x\ntitle: a\ntransport: tcp\n",
     "x.yaml:1:1: a conversation needs conversation, title, transport and "
     "steps\n"},
    {"conversation: tcp-x\ntitle: a\ntransport: udp\nsteps: [{wait: 1s}]\n",
     "x.yaml:3:12: unknown transport \"udp\"\n"},
    {HEAD "- nobody: send\n",
     "x.yaml:6:3: who acts? expected one of device, server, platform, wait, "
     "any_of, each, play\n"},
    {HEAD "- server: connect\n",
     "x.yaml:6:11: the device connects, never the server\n"},
    {HEAD "- device: dance\n",
     "x.yaml:6:11: expected connect, send, close, half_close, reset, repeat, "
     "stop, silent, open, attempts, refuse, secure, insecure or present\n"},
    {HEAD "- device: send\n",
     "x.yaml:6:3: what is sent? expected message, messages or raw\n"},
    {HEAD "- device: send\n  message: {type: ping}\n  raw: x\n",
     "x.yaml:6:3: only one of message, messages and raw\n"},
    {HEAD "- device: send\n  mesage: {type: ping}\n",
     "x.yaml:7:3: \"mesage\" does not go with this step\n"},
    {HEAD "- device: send\n  on: other\n  message: {type: ping}\n",
     "x.yaml:7:7: the connection \"other\" was not opened before\n"},
    {HEAD "- server: send\n  message: {type: pong}\n  verifies: [S-9]\n",
     "x.yaml:8:14: there is no requirement \"S-9\"\n"},
    {HEAD "- server: send\n  message: {type: pong}\n  verifies: [D-1]\n",
     "x.yaml:6:3: D-1 does not bind the server\n"},
    {HEAD "- server: silent\n  verifies: [S-1]\n",
     "x.yaml:6:3: for how long? expected for: SPAN\n"},
    {HEAD "- server: silent\n  for: 1s\n",
     "x.yaml:6:3: which requirement does this check? expected verifies, "
     "relies_on or observes\n"},
    {HEAD "- server: close\n  within: 10\n  verifies: [S-1]\n",
     "x.yaml:7:13: expected \" * \" and a timer after the factor, or a unit\n"},
    {HEAD "- server: close\n  within: 2s + $idle\n  verifies: [S-1]\n",
     "x.yaml:7:16: no such timer (see timers in specs/README.md)\n"},
    {HEAD "- server: close\n  early: [S-1]\n  verifies: [S-1]\n",
     "x.yaml:6:3: early: needs not_before:\n"},
    {HEAD "- server: close\n  from: hello\n  verifies: [S-1]\n",
     "x.yaml:6:3: from: no step before this one has as: hello\n"},
    {HEAD "- device: send\n  message: {type: ping, device_id: $devise.id}\n",
     "x.yaml:7:36: $devise.id means nothing here: neither a credential nor a "
     "step before this one\n"},
    {HEAD "- device: send\n  message: {type: $}\n",
     "x.yaml:7:19: expected a name after \"$\"; \"$$\" stands for the "
     "character itself\n"},
    {HEAD "- device: send\n  message: {type: '$prefix(\"a'}\n",
     "x.yaml:7:28: the quotation mark is not closed\n"},
    {HEAD "- device: send\n  raw: {hex: 0g}\n",
     "x.yaml:7:14: expected pairs of hexadecimal digits\n"},
    {HEAD "- device: send\n  message: {type: ping}\n  verifies: [D-1]\n"
          "  segments: bytes\n",
     "x.yaml:6:3: the harness does this itself: nothing is checked\n"},
    {HEAD "- device: reset\n- server: send\n  message: {type: pong}\n",
     "x.yaml:1:1: no side can play this: a step of each side is for the "
     "harness only, or awaits something and names no requirement\n"},
    {HEAD "- platform: explode\n  device: $device\n",
     "x.yaml:6:3: there is no hook \"explode\"\n"},
    {HEAD "- platform: send_command\n  device: $device\n",
     "x.yaml:6:3: send_command needs command: and params:\n"},
    {HEAD "- any_of:\n  - - server: close\n      verifies: [S-1]\n",
     "x.yaml:7:3: expected 2 to 8 branches, each a list of steps\n"},
    {HEAD "- play: hello\n", "x.yaml:6:3: there is no fragment \"hello\"\n"},
    {HEAD "- server: close\n  verifies: [S-1]\n  probe: perhaps\n",
     "x.yaml:8:10: expected true or false\n"},
    {HEAD "- server: close\n  verifies: [S-1]\n  needs: [hook:dance]\n",
     "x.yaml:8:11: expected hook:NAME with a hook of the profile, "
     "declares:actuators, declares:value_keys, declares:client_certificates or "
     "platform, not \"hook:dance\"\n"},
    {"rules:\n- {rule: r, of: server, every: line, verifies: D-1}\n",
     "x.yaml:2:48: D-1 does not bind the server\n"},
    {"rules:\n- {rule: r, of: server, every: hour, verifies: S-1}\n",
     "x.yaml:2:32: unknown every \"hour\"\n"},
    {"requirements:\n- {id: S-1, section: '1', binds: server, level: must, "
     "basis: stated, en: a, zh: b, judge: c}\n",
     "x.yaml:2:3: the requirement S-1 stands twice\n"},
    {"requirements:\n- {id: S-3, section: '1', binds: cloud, level: must, "
     "basis: stated, en: a, zh: b, judge: c}\n",
     "x.yaml:2:34: unknown binds \"cloud\"\n"},
    {HEAD "- device: attempts\n  at_most: 3\n  from: x\n  verifies: D-1\n",
     "x.yaml:6:3: for how long? expected for: SPAN\n"},
    {HEAD "- device: attempts\n  for: 5s\n  from: x\n  verifies: D-1\n",
     "x.yaml:6:3: how many, and since when? expected at_most: and from:\n"},
    {HEAD "- device: attempts\n  for: 5s\n  at_most: 3\n  verifies: D-1\n",
     "x.yaml:6:3: how many, and since when? expected at_most: and from:\n"},
    {HEAD "- device: attempts\n  at_most: 256\n",
     "x.yaml:7:12: expected a number from 0 to 255\n"},
    {HEAD "- device: attempts\n  at_most: -1\n",
     "x.yaml:7:12: expected a number from 0 to 255\n"},
    {HEAD "- device: attempts\n  on: main\n",
     "x.yaml:7:7: this is about every connection: no on:\n"},
    {HEAD "- server: attempts\n",
     "x.yaml:6:11: the server refuses what the device attempts\n"},
    {HEAD "- {server: close, as: c}\n- device: attempts\n  at_most: 3\n"
          "  for: 5s\n  from: c\n",
     "x.yaml:7:3: which requirement does this check? expected verifies, "
     "relies_on or observes\n"},
    {HEAD "- device: refuse\n",
     "x.yaml:6:11: the server refuses what the device attempts\n"},
    {HEAD "- server: refuse\n  on: main\n",
     "x.yaml:7:7: this is about every connection: no on:\n"},
    {HEAD "- server: refuse\n  after: connect\n",
     "x.yaml:7:10: expected auth\n"},
    {HEAD "- server: refuse\n  raw: x\n",
     "x.yaml:7:3: \"raw\" does not go with this step\n"},
    {HEAD "- each: sensor\n  steps: []\n",
     "x.yaml:6:9: unknown each \"sensor\"\n"},
    {HEAD "- each: actuator\n", "x.yaml:6:3: expected steps: and a list\n"},
    {HEAD "- each: actuator\n  steps: 3\n",
     "x.yaml:6:3: expected steps: and a list\n"},
    {HEAD "- each: actuator\n  steps: []\n",
     "x.yaml:7:10: expected a list of steps, nested at most 4 deep\n"},
    {HEAD "- each: actuator\n  on: main\n  steps: [{wait: 1s}]\n",
     "x.yaml:7:3: unknown key \"on\"\n"},
    {HEAD "- each: value\n  steps: [{wait: 1s}]\n",
     "x.yaml:6:3: each: value stands in the rounds of an actuator\n"},
    {HEAD "- each: actuator\n  steps:\n"
          "  - {each: actuator, steps: [{wait: 1s}]}\n",
     "x.yaml:8:5: each: actuator does not stand in another round\n"},
    {HEAD "- each: actuator\n  steps:\n  - each: value\n    steps:\n"
          "    - {each: value, steps: [{wait: 1s}]}\n",
     "x.yaml:10:7: each: value stands in the rounds of an actuator\n"},
    {HEAD "- device: close\n  missing: D-1\n  verifies: D-1\n",
     "x.yaml:6:3: missing: goes with verifies: of a send\n"},
    {HEAD "- device: send\n  message: {type: data}\n  missing: D-1\n",
     "x.yaml:6:3: missing: goes with verifies: of a send\n"},
    {HEAD "- device: send\n  message: {type: data}\n  awaits: D-9\n",
     "x.yaml:8:11: there is no requirement \"D-9\"\n"},
    {HEAD "- device: send\n  message: {type: data}\n  awaits: S-1\n",
     "x.yaml:6:3: S-1 does not bind the device\n"},
    {"conversation: tcp-x\ntitle: a\ntransport: tcp\npongs: never\nsteps: "
     "[{wait: 1s}]\n",
     "x.yaml:4:8: expected true or false\n"},
    {HEAD "- device: send\n  within: $least(2s)\n  message: {a: 1}\n",
     "x.yaml:7:20: expected $least(SPAN, SPAN), neither nested nor "
     "multiplied\n"},
    {HEAD "- device: send\n  message: {a: '$has($x, $y)'}\n", NULL},
    {HEAD "- device: send\n  message: {a: '$like(3)'}\n",
     "x.yaml:7:17: expected a \"string\" as the argument of $like\n"},
    {HEAD "- device: send\n  message: {a: '$like($device.id)'}\n",
     "x.yaml:7:17: expected a \"string\" as the argument of $like\n"},
#define RULE "rules:\n- {rule: r, of: device, verifies: D-1, "
    {RULE "every: connection, type: auth}\n",
     "x.yaml:2:3: a rule on connections needs which: or within:\n"},
    {RULE "every: connection, type: auth, which: first, within: 1s}\n",
     "x.yaml:2:3: a rule on connections needs which: or within:\n"},
    {RULE "every: connection, type: auth, which: third}\n",
     "x.yaml:2:78: expected first or again\n"},
    {RULE "every: connection, type: auth, within: soon}\n",
     "x.yaml:2:79: expected a span such as 2s, $idle_timeout or 0.6 * "
     "$idle_timeout\n"},
    {RULE "every: connection, which: first}\n",
     "x.yaml:2:3: the key \"type\" is missing\n"},
    {RULE "every: answer, type: pong}\n",
     "x.yaml:2:3: only a command_response answers: expected type: "
     "command_response\n"},
    {RULE "every: stream, longest: 3}\n",
     "x.yaml:2:64: longest: goes with every: line and is a number of bytes\n"},
    {RULE "every: line, longest: 0}\n",
     "x.yaml:2:62: longest: goes with every: line and is a number of bytes\n"},
    {RULE "every: line, longest: 12 KB}\n",
     "x.yaml:2:62: longest: goes with every: line and is a number of bytes\n"},
    {RULE "every: line, needs: [declares:speed]}\n",
     "x.yaml:2:61: expected hook:NAME with a hook of the profile, "
     "declares:actuators, declares:value_keys, declares:client_certificates or "
     "platform, not \"declares:speed\"\n"},
    {RULE "every: line, otherwise: fail}\n",
     "x.yaml:2:64: expected not_applicable\n"},
    {RULE "every: message, type: auth}\n",
     "x.yaml:2:3: a rule on messages needs type: and message: (a map of its "
     "members)\n"},
    {"a: [1\n", NULL}, /* the parser's own words */
                       /* of MQTT and TLS */
#define TOP(over, rest) "conversation: m\ntitle: a\ntransport: " over "\n" rest
#define MQTT            TOP("mqtt", "steps:\n- device: connect\n")
#define TLS             TOP("mqtts", "steps:\n- device: connect\n")
    {TOP("mqtt", "withholds: CONNACK\nsteps: [{wait: 1s}]\n"),
     "x.yaml:4:12: expected a list of MQTT packets\n"},
    {TOP("tcp", "withholds: [CONNACK]\nsteps: [{wait: 1s}]\n"),
     "x.yaml:4:12: expected a list of MQTT packets\n"},
    {TOP("mqtt", "withholds: [CONNACK, PUBLISH]\nsteps: [{wait: 1s}]\n"),
     "x.yaml:4:22: expected an answer, such as CONNACK or PUBACK\n"},
    {TOP("mqtt", "withholds: [[CONNACK]]\nsteps: [{wait: 1s}]\n"),
     "x.yaml:4:13: expected an answer, such as CONNACK or PUBACK\n"},
    {TOP("mqtt", "client: paho\nsteps: [{wait: 1s}]\n"),
     "x.yaml:4:9: expected libmosquitto, over MQTT\n"},
    {TOP("mqtt", "client: [libmosquitto]\nsteps: [{wait: 1s}]\n"),
     "x.yaml:4:9: expected libmosquitto, over MQTT\n"},
    {TOP("tcp", "client: libmosquitto\nsteps: [{wait: 1s}]\n"),
     "x.yaml:4:9: expected libmosquitto, over MQTT\n"},
    {TOP("mqtt", "other: {a: 1}\nsteps: [{wait: 1s}]\n"),
     "x.yaml:4:8: expected preferred\n"},
    {MQTT "- device: send\n  message: {type: ping}\n",
     "x.yaml:6:3: which packet is it? expected packet: CONNECT, CONNACK, "
     "PUBLISH, ...\n"},
    {MQTT "- device: send\n  message: {packet: PING}\n",
     "x.yaml:6:3: which packet is it? expected packet: CONNECT, CONNACK, "
     "PUBLISH, ...\n"},
    {MQTT "- device: send\n  message: {packet: PUBLISH, says: hello}\n",
     "x.yaml:6:3: says: goes with packet: PUBLISH, and is one of data, "
     "command, answer, status\n"},
    {MQTT "- device: send\n  message: {packet: PUBLISH, says: will}\n",
     "x.yaml:6:3: says: goes with packet: PUBLISH, and is one of data, "
     "command, answer, status\n"},
    {MQTT "- device: send\n  message: {packet: CONNECT, says: data}\n",
     "x.yaml:6:3: says: goes with packet: PUBLISH, and is one of data, "
     "command, answer, status\n"},
    {MQTT "- platform: dance\n",
     "x.yaml:6:13: expected connect, send, close, half_close, reset, repeat, "
     "stop, silent, open, attempts, refuse, secure, insecure or present\n"},
    {MQTT "- platform: half_close\n",
     "x.yaml:6:13: the platform does hooks, and connect, send, close, "
     "reset\n"},
    {MQTT "- platform: send\n  message: {packet: PINGREQ}\n",
     "x.yaml:6:3: the connection \"main\" is the device's\n"},
    {MQTT "- {platform: connect, on: p}\n- device: close\n  on: p\n",
     "x.yaml:8:7: the connection \"p\" is the platform's\n"},
    {MQTT "- device: send\n  given: order\n  message: {packet: PINGREQ}\n",
     "x.yaml:7:10: expected a reference such as $order.packet_id\n"},
    {MQTT "- device: send\n  given: $order.id\n  message: {packet: "
          "PINGREQ}\n",
     "x.yaml:7:10: $order.id means nothing here: neither a credential nor a "
     "step before this one\n"},
    {MQTT "- device: secure\n  verifies: D-1\n",
     "x.yaml:6:11: this is of TLS: expected transport: mqtts\n"},
    {MQTT "- server: present\n",
     "x.yaml:6:11: this is of TLS: expected transport: mqtts\n"},
    {TOP("mqtt", "steps:\n- device: connect\n  tls: {own: false}\n"),
     "x.yaml:5:11: this is of TLS: expected transport: mqtts\n"},
    {TLS "- device: present\n",
     "x.yaml:6:11: the server refuses what the device attempts\n"},
    {TLS "- server: present\n  on: main\n",
     "x.yaml:7:7: this is about every connection: no on:\n"},
    {TLS "- server: present\n  certificate: old\n",
     "x.yaml:7:16: unknown certificate \"old\"\n"},
    {TLS "- server: present\n  lowest: 1.4\n",
     "x.yaml:7:11: unknown lowest \"1.4\"\n"},
    {TLS "- server: present\n  asks: maybe\n",
     "x.yaml:7:9: expected true or false\n"},
    {TLS "- server: present\n  lowest: \"1.3\"\n  highest: \"1.2\"\n",
     "x.yaml:8:13: lowest: is above highest: (it is \"1.2\" where it is left "
     "out)\n"},
    {TLS "- server: present\n  highest: \"1.1\"\n",
     "x.yaml:7:13: lowest: is above highest: (it is \"1.2\" where it is left "
     "out)\n"},
    {TOP("mqtts", "steps:\n- device: connect\n  tls: yes\n"),
     "x.yaml:6:8: expected {lowest: ..., highest: ..., own: ..., anyone: "
     "...}\n"},
    {TOP("mqtts", "steps:\n- device: connect\n  tls: {ca: x}\n"),
     "x.yaml:6:9: unknown key \"ca\"\n"},
    {TLS "- device: insecure\n",
     "x.yaml:6:3: which requirement does this check? expected verifies, "
     "relies_on or observes\n"},
    {MQTT "- device: silent\n  attempts: 2\n  for: 5s\n  verifies: D-1\n",
     "x.yaml:7:13: attempts: goes with on: every\n"},
    {MQTT "- device: silent\n  on: every\n  attempts: 256\n  for: 5s\n",
     "x.yaml:8:13: expected a number from 0 to 255\n"},
    {RULE "every: message, transport: udp, type: data, message: {a: 1}}\n",
     "x.yaml:2:67: unknown transport \"udp\"\n"},
    {RULE "every: message, transport: mqtt, type: hello, message: {a: 1}}\n",
     "x.yaml:2:79: expected an MQTT packet (CONNECT, ...), or data, command, "
     "answer, status\n"},
    {RULE "every: message, transport: mqtt, type: will, message: {a: 1}}\n",
     "x.yaml:2:79: expected an MQTT packet (CONNECT, ...), or data, command, "
     "answer, status\n"},
    {RULE "every: message, transport: mqtt, message: {a: 1}}\n",
     "x.yaml:2:3: the key \"type\" is missing\n"},
    {RULE "every: message, type: data, when: {a: 1}, message: {a: 1}}\n",
     "x.yaml:2:74: when: goes with messages of MQTT\n"},
    {RULE "every: packet, transport: mqtt}\n",
     "x.yaml:2:66: transport: and when: go with every: message\n"},
    {RULE "every: keep_alive, when: {a: 1}}\n",
     "x.yaml:2:65: transport: and when: go with every: message\n"},
};

/* The rounds of a sum of spans, at the bounds of what is allowed. */
Test(load, what_is_just_allowed, .init = setup, .fini = teardown) {
  cr_expect_eq(
      load("x.yaml", HEAD
           "- {server: close, as: c}\n"
           "- {device: attempts, at_most: 255, for: 5s, from: c, verifies: "
           "D-1}\n"
           "- each: actuator\n"
           "  steps:\n"
           "  - {each: value, steps: [{wait: 1s}]}\n"
           "  - {each: value, steps: [{wait: '$least(1s, 2s) + $least(1s, 2s) "
           "+ $least(1s, 2s)'}]}\n"
           "- {each: actuator, steps: [{wait: 1s}]}\n"),
      0, "%s", nova_buf_cstr(&diag.text));
}

/* Who plays what of MQTT, and what it needs. */
Test(load, sides_of_mqtt, .init = setup, .fini = teardown) {
  static const struct {
    const char *text;
    bool device, server;
    uint32_t needs;
  } all[] = {
      /* What only checks is not for the side that sends it. */
      {MQTT "- {device: send, message: {packet: SUBSCRIBE}, verifies: D-1}\n",
       false, true, 0},
      {MQTT "- {device: send, message: {packet: PUBLISH, says: data}, "
            "verifies: D-1}\n",
       false, true, 0},
      {MQTT "- {device: send, message: {packet: CONNECT, will: {qos: 1}}, "
            "verifies: D-1}\n",
       false, true, 0},
      {MQTT "- {server: send, message: {packet: SUBACK}, verifies: S-1}\n",
       true, false, 0},
      {MQTT "- {server: send, message: {packet: SUBACK, codes: [1]}, verifies: "
            "S-1}\n",
       true, true, 0},
      {MQTT "- {platform: connect, on: p}\n"
            "- {server: send, on: p, message: {packet: CONNACK}, verifies: "
            "S-1}\n",
       true, false, NOVA_NEED_PLATFORM},
      {MQTT "- {device: send, message: {packet: CONNECT, username: "
            "$platform.username}}\n"
            "- {server: send, message: {packet: CONNACK}, verifies: S-1}\n",
       true, false, NOVA_NEED_PLATFORM},
      {TLS "- {server: present, certificate: expired, asks: true, lowest: "
           "'1.0', highest: '1.3'}\n"
           "- {device: insecure, message: {offers: '1.2'}, verifies: D-1}\n",
       false, true, 0},
      {TLS "- {server: secure, within: 3s, verifies: S-1}\n", true, false, 0},
      {TLS
       "- {device: silent, on: every, message: {packet: CONNECT}, attempts: "
       "2, for: 5s, verifies: D-1}\n",
       true, true, 0},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    nova_diag_free(&diag);
    catalog.scripts = NULL;
    cr_assert_eq(load("x.yaml", all[i].text), 0, "%s%s", all[i].text,
                 nova_buf_cstr(&diag.text));
    const struct nova_script *s = nova_catalog_script(&catalog, "m");
    cr_expect_eq(s->harness[NOVA_ROLE_DEVICE], all[i].device, "%s",
                 all[i].text);
    cr_expect_eq(s->harness[NOVA_ROLE_SERVER], all[i].server, "%s",
                 all[i].text);
    cr_expect_eq(s->needs, all[i].needs, "%s", all[i].text);
  }
}

Test(load, scripts_that_must_fail, .init = setup, .fini = teardown) {
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    nova_diag_free(&diag);
    cr_expect_neq(load("x.yaml", bad[i].text), 0, "accepted:\n%s", bad[i].text);
    const char *said = nova_buf_cstr(&diag.text);
    if (bad[i].message == NULL)
      cr_expect(strncmp(said, "x.yaml:", 7) == 0, "%s", said);
    else
      cr_expect_str_eq(said, bad[i].message,
                       "for:\n%s\nsaid:     %sexpected: %s", bad[i].text, said,
                       bad[i].message);
  }
}

static const char good[] =
    "conversation: tcp-good\n"
    "title: {en: a, zh: b}\n"
    "transport: tcp\n"
    "cases:\n"
    "  one: {key: $device.key, n: 3}\n"
    "  two: {key: {a: 1}, n: 4}\n"
    "steps:\n"
    "- device: connect\n"
    "- play: hello\n"
    "  with: {who: $other}\n"
    "- device: send\n"
    "  message: {type: ping, k: $case.key, t: 'n$case.n'}\n"
    "- server: send\n"
    "  message: {type: pong}\n"
    "  verifies: S-1\n";

static const char hello[] = "fragment: hello\n"
                            "arguments: [who, on]\n"
                            "steps:\n"
                            "- device: send\n"
                            "  on: $arg.on\n"
                            "  message: {type: auth, device_id: $arg.who.id}\n";

Test(load, cases_and_fragments, .init = setup, .fini = teardown) {
  cr_assert_eq(load("f.yaml", hello), 0, "%s", nova_buf_cstr(&diag.text));
  cr_assert_eq(load("g.yaml", good), 0, "%s", nova_buf_cstr(&diag.text));
  cr_assert_eq(catalog.script_count, 2);
  const struct nova_script *s = nova_catalog_script(&catalog, "tcp-good-one");
  cr_assert_not_null(s);
  cr_assert_str_eq(s->base, "tcp-good");
  cr_assert_eq(s->devices, 2, "$other needs a second device");
  cr_assert(s->harness[NOVA_ROLE_DEVICE]);
  cr_assert_not(s->harness[NOVA_ROLE_SERVER]);
  cr_assert_eq(s->step_count, 4);
  cr_assert(nova_ids_have(&s->verifies, "S-1"));
  const struct nova_pattern *m = s->steps->next->next->messages;
  cr_assert_eq(m->child->next->kind, NOVA_PATTERN_REF);
  cr_assert_str_eq(m->child->next->name, "device.key");
  cr_assert(nova_view_is(m->child->next->next->json, "\"n3\""));
  s = nova_catalog_script(&catalog, "tcp-good-two");
  cr_assert_eq(s->steps->next->next->messages->child->next->kind,
               NOVA_PATTERN_OBJECT);
}

Test(load, coverage_is_computed, .init = setup, .fini = teardown) {
  cr_assert_eq(load("f.yaml", hello), 0);
  cr_assert_eq(load("g.yaml", good), 0);
  nova_catalog_check_coverage(&catalog, &diag);
  cr_assert_str_eq(nova_buf_cstr(&diag.text),
                   "requirements.yaml:3:1: no conversation and no rule "
                   "verifies S-2\n"
                   "requirements.yaml:4:1: no conversation and no rule "
                   "verifies D-1\n");
}

/* Whatever is cut off or changed: a message, never a crash. */
Test(load, damaged_files, .init = setup, .fini = teardown) {
  cr_assert_eq(load("f.yaml", hello), 0);
  char text[sizeof good];
  for (size_t i = 0; i < sizeof good - 1; i++) {
    for (unsigned k = 0; k < 4; k++) {
      memcpy(text, good, sizeof good);
      text[i] = "\0{:'"[k];
      struct nova_spec_file f = {"x.yaml", text, sizeof good - 1};
      if (nova_catalog_add(&catalog, &f, &diag) == 0)
        catalog.scripts = NULL; /* ids may stand twice otherwise */
      nova_diag_free(&diag);
    }
  }
}
