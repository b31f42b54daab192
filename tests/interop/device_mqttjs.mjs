#!/usr/bin/env node
// An independent MQTT device for the NovaCloud device protocol, on MQTT.js,
// written from the device access guide alone: section 1.2 (credentials),
// section 2 (MQTT) and section 5 (reconnection). README.md in this folder has
// its options.
//
// MQTT.js speaks MQTT and TLS and connects again; what is said, when, and how
// long it waits, is said here. tests/scripts/fetch-mqttjs.sh installs MQTT.js;
// NOVA_MQTTJS names the folder if it is not build/mqttjs.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

// Pauses before connecting again, in milliseconds: the first, and the longest.
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 10_000;

// A connection that lasted so long was of use: the pauses start anew after it.
const OF_USE_AFTER = 5_000;

// How long the server may take to accept a connection.
const CONNECT_TIMEOUT = 10_000;

// How long the end of the program may take that is not forced.
const END_TIMEOUT = 1_000;

// No command of the guide comes near these.
const MAX_COMMAND_BYTES = 1024 * 1024;
const MAX_NAME_CHARACTERS = 256;

const here = dirname(fileURLToPath(import.meta.url));
const installed = process.env.NOVA_MQTTJS || join(here, "../../build/mqttjs");
let mqtt;
try {
  mqtt = createRequire(join(resolve(installed), "package.json"))("mqtt");
} catch (error) {
  console.error(`device_mqttjs.mjs: MQTT.js is not in ${installed}: ${error.code}`);
  process.exit(77);
}

// -- Options ------------------------------------------------------------------

function usage(text) {
  console.error(`device_mqttjs.mjs: ${text}`);
  process.exit(2);
}

function readOptions() {
  const text = { type: "string" };
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        host: text, port: text, id: text, key: text, ca: text, cert: text,
        "key-file": text, "status-interval": text, "data-interval": text,
        "keep-alive": text, actuators: text, "value-keys": text,
      },
    }));
  } catch (error) {
    usage(error.message);
  }
  const { env } = process;
  const given = (name, variable) =>
    values[name] ?? (env[variable] || usage(`--${name} is needed`));
  const number = (name, otherwise, least, most) => {
    const value = Number(values[name] || otherwise);
    return value >= least && value <= most ? value
      : usage(`--${name} is a number from ${least} to ${most}`);
  };
  values.port ??= env.NOVA_MQTT_PORT || usage("--port is needed");
  return {
    host: given("host", "NOVA_HOST"),
    port: number("port", 0, 1, 65535),
    id: given("id", "NOVA_DEVICE_ID"),
    key: given("key", "NOVA_DEVICE_KEY"),
    ca: values.ca ?? env.NOVA_CA_FILE,
    cert: values.cert,
    keyFile: values["key-file"],
    statusInterval: number("status-interval", 60, 0, 1e6),
    dataInterval: number("data-interval", 60, 0, 1e6),
    keepAlive: Math.trunc(number("keep-alive", 60, 0, 65535)),
    actuators: readActuators(values.actuators ??
      '{"relay1":["OFF","ON"],"led_brightness":[0,80]}'),
    valueKeys: (values["value-keys"] ?? "temperature,humidity").split(","),
  };
}

// A map of each actuator's name to the values that it may be given.
function readActuators(text) {
  let object;
  try {
    object = JSON.parse(text);
  } catch {
    object = null;
  }
  if (kindOf(object) !== "object")
    usage("--actuators is no JSON object");
  const actuators = new Map();
  for (const [name, value] of Object.entries(object)) {
    const values = [value].flat(1);
    if (values.length === 0)
      usage(`--actuators: ${name} has no value`);
    actuators.set(name, values);
  }
  return actuators;
}

// -- What the device does -----------------------------------------------------

function kindOf(value) {
  if (value === null)
    return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

class Actuators {
  constructor(examples) {
    this.kinds = new Map();
    this.state = new Map();
    for (const [name, values] of examples) {
      this.kinds.set(name, new Set(values.map(kindOf)));
      this.state.set(name, values[0]);
    }
  }

  // Takes over all of the params, or, if one of them cannot be, none.
  set(params) {
    const entries = Object.entries(params);
    for (const [name, value] of entries)
      if (!this.kinds.get(name)?.has(kindOf(value)) ||
          (typeof value === "number" && !Number.isFinite(value)))
        return false;
    for (const [name, value] of entries)
      this.state.set(name, value);
    return true;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// The command in the bytes, or null if there is none.
function parseCommand(bytes) {
  if (bytes.length > MAX_COMMAND_BYTES)
    return null;
  let command;
  try {
    command = JSON.parse(utf8.decode(bytes));
  } catch {
    return null;
  }
  if (kindOf(command) !== "object")
    return null;
  const { command: name, params } = command;
  // Half of a surrogate pair is no text.
  if (typeof name !== "string" || name.length > MAX_NAME_CHARACTERS ||
      /\p{Surrogate}/u.test(name))
    return null;
  if (name === "set_actuator" && kindOf(params) !== "object")
    return null;
  return command;
}

const seconds = () => Math.floor(Date.now() / 1000);

// What section 2 of the guide has a device say.
class Messages {
  constructor(id, valueKeys, actuators) {
    this.id = id;
    this.valueKeys = valueKeys;
    this.actuators = actuators;
  }

  will() {
    return { status: "offline", timestamp: 0, device_id: this.id };
  }

  status() {
    return {
      status: "online", timestamp: seconds(), device_id: this.id,
      info: { version: "mqttjs" },
    };
  }

  data() {
    const message = { timestamp: seconds(), device_id: this.id };
    for (const key of this.valueKeys)
      message[key] = Math.round(200 + 100 * Math.random()) / 10;
    return message;
  }

  // The answer to the command in the bytes; null if it has none.
  answer(bytes) {
    const command = parseCommand(bytes);
    if (command === null)
      return null;
    const known = command.command === "set_actuator";
    const success = known && this.actuators.set(command.params);
    return {
      response: known ? "actuator_set" : "unknown_command",
      command: command.command, timestamp: seconds(), device_id: this.id,
      success, data: Object.fromEntries(this.actuators.state),
    };
  }
}

// -- The connection -----------------------------------------------------------

function clientOptions(options, will, topic) {
  const { ca, cert, keyFile } = options;
  const tls = !ca ? {} : {
    ca: readFileSync(ca),
    minVersion: "TLSv1.2",
    rejectUnauthorized: true,
    ...(cert && { cert: readFileSync(cert), key: readFileSync(keyFile) }),
  };
  return {
    ...tls,
    protocol: ca ? "mqtts" : "mqtt",
    host: options.host,
    port: options.port,
    protocolVersion: 4,
    clientId: `device_${options.id}_${randomBytes(4).toString("hex")}`,
    username: options.id,
    password: options.key,
    keepalive: options.keepAlive,
    clean: true,
    will: { topic, payload: JSON.stringify(will), qos: 1, retain: false },
    connectTimeout: CONNECT_TIMEOUT,
    reconnectPeriod: FIRST_PAUSE,
    // A refusal may be mended on the other side: section 5 of the guide.
    reconnectOnConnackError: true,
    // It subscribes itself, on each connection.
    resubscribe: false,
    timerVariant: "native",
  };
}

function main() {
  const options = readOptions();
  const messages =
    new Messages(options.id, options.valueKeys, new Actuators(options.actuators));
  const topic = (kind) => `novacloud/devices/${options.id}/${kind}`;
  const client =
    mqtt.connect(clientOptions(options, messages.will(), topic("status")));
  const say = (text) => console.error(`device: ${text}`);
  const publish = (kind, message) =>
    client.publish(topic(kind), JSON.stringify(message), { qos: 1 }, () => {});

  let timers = [];
  const every = (interval, action) => {
    if (interval > 0) {
      action();
      timers.push(setInterval(action, 1000 * interval));
    }
  };

  client.on("connect", () => {
    say("connected");
    client.subscribe(topic("command"), { qos: 1 }, () => {});
    every(options.statusInterval, () => publish("status", messages.status()));
    every(options.dataInterval, () => publish("data", messages.data()));
    timers.push(setTimeout(() => {
      client.options.reconnectPeriod = FIRST_PAUSE;
    }, OF_USE_AFTER));
  });
  client.on("close", () => {
    timers.forEach(clearTimeout);
    timers = [];
  });
  // This attempt has had its pause; the one after it waits longer.
  client.on("reconnect", () => {
    client.options.reconnectPeriod =
      Math.min(2 * client.options.reconnectPeriod, LONGEST_PAUSE);
    say(`connecting again; the next pause is ${client.options.reconnectPeriod} ms`);
  });
  client.on("error", (error) => say(error.message));
  client.on("message", (from, bytes) => {
    if (from !== topic("command"))
      return;
    const answer = messages.answer(bytes);
    if (answer === null)
      say(`no command: ${bytes.length} bytes`);
    else
      publish("data", answer);
  });

  const stop = () => {
    timers.forEach(clearTimeout);
    setTimeout(() => process.exit(0), END_TIMEOUT).unref();
    // Without a connection there is nobody to say DISCONNECT to.
    client.end(!client.connected, {}, () => process.exit(0));
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}

main();
