"use strict";
/* Draws the report from the results.json in this file. All of it that came from
 * elsewhere goes into text nodes, never into markup. */
(function () {
  const raw = document.getElementById("results").textContent;
  /* Seeds have 64 bits, numbers of this language 53. A name is found only where no
   * string can be: inside one its quotation marks would be escaped. */
  const results = JSON.parse(raw.replace(/([{,]\s*"seed": )(\d{16,})/g, '$1"$2"'));
  const phrases = JSON.parse(document.getElementById("phrases").textContent);
  const VERDICTS = ["pass", "fail", "inconclusive", "not_tested", "not_applicable"];
  const LEVELS = ["must", "should", "may"];
  const EVENTS_AT_ONCE = 200;
  let lang = document.documentElement.lang === "zh" ? "zh" : "en";
  const conversations = new Map(results.conversations.map((c) => [c.id, c]));
  const rules = new Map((results.rules || []).map((u) => [u.id, u]));
  const SHOWN = 200;
  /* Conversations judge both sides; the report is about one. */
  const asked = new Set(results.requirements.map((q) => q.id));

  /* --- words ----------------------------------------------------------------- */

  /* What would do something to the reader's screen is shown as \u202e. */
  function visible(s) {
    return String(s).replace(
      /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\uffff]/g,
      (c) => (c < "\u0080" ? "\\x" + c.charCodeAt(0).toString(16).padStart(2, "0")
                           : "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0")));
  }
  function say(name, ...args) {
    return phrases[lang][name].replace(/\{([1-4])\}/g, (_, n) => visible(args[n - 1]));
  }
  const verdict = (v) => say(v.toUpperCase());
  function inLanguage(text) {
    if (!text) return "";
    return text[lang] || text.en || text.zh || "";
  }
  function seconds(s) {
    let digits = 3;
    if (s > 0 && s < 0.1) digits = Math.min(9, 3 + Math.ceil(-Math.log10(s) - 1));
    /* Cut, not rounded: 179.9999 s is not 180 s. */
    const scale = 10 ** digits;
    return (Math.floor(s * scale + 1e-6) / scale).toFixed(digits) + " s";
  }
  /* What it needs; nothing where something else was in the way. */
  const lacks = (q) => q.needs || (/^needs /.test(q.reason || "") ? q.reason.slice(6) : "");
  function needs(q) {
    const n = lacks(q);
    if (!n) return q.reason || say("NEEDS_NOTHING");
    const word = n.replace(/^[a-z]+:/, "").split(" ")[0];
    if (/^(second_device|a second credential)/.test(n)) return say("NEEDS_SECOND_DEVICE");
    if (n.startsWith("platform")) return say("NEEDS_PLATFORM");
    if (n === "tls" || n.startsWith("a TLS address")) return say("NEEDS_TLS");
    if (n.startsWith("hook:")) return say("NEEDS_HOOK", word);
    if (n.startsWith("declares:")) return say("NEEDS_DECLARES", word);
    return n;
  }

  /* What a section of the guide is called, where that is known: "guide 2.4 data reporting". */
  const called = (number) => {
    const name = "SECTION_" + String(number).replace(/\./g, "_");
    return phrases[lang][name] !== undefined ? say(name) : "";
  };
  const guide = (q) => say("GUIDE", q.section) + (called(q.section) ? " " + called(q.section) : "");

  /* --- nodes ------------------------------------------------------------------- */

  /* An element; a string among the children becomes a text node. */
  function el(name, attributes, ...children) {
    const node = document.createElement(name);
    for (const key of Object.keys(attributes || {})) node.setAttribute(key, attributes[key]);
    for (const child of children.flat()) {
      if (child === null || child === undefined || child === "") continue;
      node.append(child instanceof Node ? child : document.createTextNode(visible(child)));
    }
    return node;
  }
  function list(pairs) {
    const dl = el("dl");
    for (const [term, value, kind] of pairs)
      if (value !== null && value !== undefined && value !== "")
        dl.append(el("dt", {}, term), el("dd", kind ? { class: kind } : {}, value));
    return dl;
  }
  function table(kind, heads, rows) {
    return el("table", { class: kind },
      el("thead", {}, el("tr", {}, heads.map((h) => el("th", { scope: "col" }, h)))),
      el("tbody", {}, rows));
  }
  function section(id, heading, ...children) {
    return el("section", { id: id, "aria-labelledby": id + "-h" },
      el("h2", { id: id + "-h" }, heading), ...children);
  }
  /* Filled when it is opened first: transcripts are long. */
  function lazily(details, fill) {
    details.addEventListener("toggle", () => {
      if (details.open && fill) { details.append(fill()); fill = null; }
    });
    return details;
  }

  /* --- transcripts --------------------------------------------------------------- */

  function hexDump(hex) {
    const bytes = hex.match(/\*\*\*|[0-9a-f]{2}/g) || [];
    const lines = [];
    for (let i = 0; i < bytes.length; i += 8) {
      const part = bytes.slice(i, i + 8);
      const text = part.map((b) => {
        if (b === "***") return b;
        const c = parseInt(b, 16);
        return c >= 0x20 && c < 0x7f ? String.fromCharCode(c) : ".";
      }).join("");
      lines.push(part.join(" ").padEnd(25) + text);
    }
    return lines.join("\n");
  }
  /* What a process printed is text, however badly it is spelt. */
  function printed(hex) {
    return hex.split("***").map((part) => new TextDecoder().decode(
      new Uint8Array((part.match(/../g) || []).map((b) => parseInt(b, 16))))).join("***");
  }
  /* What a TLS handshake came to: as in base/tls.h. */
  function handshake(e) {
    let t = null;
    try { t = JSON.parse(e.text); } catch (_) { /* shown as it is */ }
    if (!t || typeof t !== "object") return "";
    const version = (v) => (v === "ssl3" ? "SSL 3" : "TLS " + v);
    const phrase = (name, value) => (phrases[lang][name + String(value).toUpperCase()] !== undefined
      ? say(name + String(value).toUpperCase()) : "");
    return [
      t.version ? version(t.version) : "", t.cipher,
      phrase("TLS_CERTIFICATE_", t.certificate), phrase("TLS_BY_", t.by), t.why,
      t.alert !== undefined ? say("TLS_ALERT", t.alert) : "", t.sent !== undefined ? say("TLS_SENT", t.sent) : "",
      t.offers ? say("TLS_OFFERS", version(t.offers)) : "",
    ].filter(Boolean).join(", ");
  }
  const ofTls = (e) => e.event === "secured" || e.event === "insecure";
  /* As in base/transport.h: -5 a signal, -4 it never ran. */
  function exited(code) {
    if (code === -5) return say("EXITED_SIGNAL");
    if (code === -4) return say("EXITED_NEVER");
    return code < 0 ? say("EXITED_ENDED") : say("EXITED", code);
  }
  function what(e) {
    let word;
    if (e.event === "closed") word = say("CLOSED_" + e.how.toUpperCase());
    else if (e.event === "exited") word = exited(e.code);
    else word = say(e.event.toUpperCase());
    if (e.event === "lag") word += " " + seconds(e.error_s);
    if (e.code !== undefined && (e.event === "refused" || e.event === "hook")) word += " " + e.code;
    if (e.event === "exited") return word;
    if (e.bytes !== undefined && !ofTls(e)) word += ", " + say("BYTES", e.bytes);
    if (e.connection !== undefined && e.connection !== 1) word += ", " + say("CONNECTION", e.connection);
    return word;
  }
  const packetKind = (line) => (line.startsWith("malformed ") ? { class: "fail" }
    : line.startsWith("(") ? { class: "soft" } : {});
  function payload(e) {
    const nodes = [];
    if (e.event === "exited")
      nodes.push(el("div", { class: "what soft" },
        e.bytes ? say("OUTPUT") + ", " + say("BYTES", e.bytes) : say("NO_OUTPUT")));
    if (ofTls(e) && handshake(e)) {
      nodes.push(el("div", { class: "packets" }, handshake(e)));
      return nodes;
    }
    const bytes = [];
    if (e.text !== undefined && e.text !== "") bytes.push(el("pre", {}, e.text));
    if (e.hex !== undefined && e.event === "exited") bytes.push(el("pre", {}, printed(e.hex)));
    else if (e.hex !== undefined) bytes.push(el("pre", { class: "hex" }, hexDump(e.hex)));
    /* What they say is read first; they stay the evidence. */
    if (e.packets && e.packets.length)
      nodes.push(el("ul", { class: "packets" }, e.packets.map((line) => el("li", packetKind(line), line))),
        lazily(el("details", { class: "bytes" }, el("summary", {}, say("PACKETS_BYTES"))),
          () => el("div", {}, bytes)));
    else nodes.push(...bytes);
    if (e.kept !== undefined)
      nodes.push(el("div", { class: "what soft" }, say("CUT", e.bytes), e.sha256 ? " SHA-256 " + e.sha256 : ""));
    return nodes;
  }
  function eventRow(e, shown) {
    const box = el("div", {}, el("div", { class: "what " + e.from }, what(e)), payload(e));
    const mine = e.event === "sent" || e.event === "received";
    const cells = [el("td", { class: "when" }, e.t.toFixed(6))];
    const aside = e.event === "lag" || e.event === "note";
    if (aside)
      cells.push(el("td", { colspan: "3", class: "what soft" }, say("HARNESS") + ": ", what(e), payload(e)));
    else if (e.from === "device")
      cells.push(el("td", {}, box), el("td", { class: "arrow device" }, mine || e.event === "closed" ? "→" : ""), el("td"));
    else if (e.from === "server")
      cells.push(el("td"), el("td", { class: "arrow server" }, mine || e.event === "closed" ? "←" : ""), el("td", {}, box));
    else
      cells.push(el("td", { colspan: "3" }, el("span", { class: "soft" }, say(e.from.toUpperCase()) + ": "), box));
    return el("tr", shown ? { class: "shown" } : {}, cells);
  }
  /* The device on the left, the server on the right. |at|: the event that shows the
   * failure. */
  function sequence(c, at) {
    const events = c.transcript;
    const under = (side) => say(side.toUpperCase()) +
      (results.subject === side ? " (" + say("UNDER_TEST") + ")" : " (" + say("HARNESS") + ")");
    let next = at !== undefined && at > EVENTS_AT_ONCE / 2 && events.length > EVENTS_AT_ONCE
      ? at - EVENTS_AT_ONCE / 2 : 0;
    const body = el("tbody");
    const out = el("div", {}, el("table", { class: "sequence" },
      el("thead", {}, el("tr", {},
        el("th", { scope: "col", class: "when" }, say("TIME")), el("th", { scope: "col" }, under("device")),
        el("th", { scope: "col", class: "arrow" }), el("th", { scope: "col" }, under("server")))), body));
    const more = el("button", { type: "button", class: "screen" });
    function add() {
      const end = Math.min(events.length, next + EVENTS_AT_ONCE);
      for (; next < end; next++) body.append(eventRow(events[next], next === at));
      more.textContent = say("MORE", events.length - next);
      more.hidden = next >= events.length;
    }
    if (next > 0)
      body.append(el("tr", {}, el("td", { colspan: "4", class: "soft" }, "… " + say("MORE", next))));
    more.addEventListener("click", add);
    add();
    out.append(more);
    return out;
  }

  /* --- parts of the page ------------------------------------------------------------ */

  function why() {
    const must = results.requirements.filter((q) => q.level === "must");
    const failed = must.filter((q) => q.verdict === "fail" && !q.expected_failure).length;
    const known = must.filter((q) => q.verdict === "fail" && q.expected_failure).length;
    const open = must.filter((q) => q.verdict === "inconclusive" || q.verdict === "not_tested").length;
    switch (results.summary.outcome) {
      case "conformant": return say(known ? "WHY_KNOWN_FAILURES" : "WHY_CONFORMANT");
      case "not_conformant": return failed ? say("WHY_NOT_CONFORMANT", failed) : say("WHY_STALE");
      default: return results.interrupted && !open ? say("WHY_INTERRUPTED") : say("WHY_INCOMPLETE", open);
    }
  }
  function cover() {
    const s = results.summary;
    const choose = (code, name) => {
      const b = el("button", { type: "button", lang: code, "aria-pressed": String(lang === code) }, name);
      b.addEventListener("click", () => { lang = code; draw(); });
      return b;
    };
    const tally = table("tally", ["", ...VERDICTS.map(verdict)], LEVELS.map((l) =>
      el("tr", {}, el("th", { scope: "row" }, say(l.toUpperCase())),
        VERDICTS.map((v) => el("td", s[l][v] ? { class: v } : { class: "soft" }, String(s[l][v]))))));
    const t = results.self_test;
    return el("header", { class: "cover" },
      el("div", { class: "top" }, el("h1", {}, say("TITLE")),
        el("div", { class: "languages", role: "group", "aria-label": say("LANGUAGE") },
          choose("en", "English"), choose("zh", "中文"))),
      el("div", { class: "outcome " + s.outcome },
        el("strong", {}, say(s.outcome.toUpperCase())), el("span", {}, why()),
        results.interrupted ? el("p", {}, say("WHY_INTERRUPTED")) : null),
      list([
        [say("SUBJECT"), say(results.subject.toUpperCase())],
        [say("NAME"), results.name],
        [say("ADDRESS"), results.address],
        [say("DATE"), results.started.replace("T", " ").replace("Z", " UTC")],
        [say("DURATION"), results.duration_s.toFixed(1) + " s"],
        [say("VERSION"), results.tool.name + " " + results.tool.version],
        [say("SEED"), String(results.seed)],
      ]),
      el("div", { class: "wide" }, tally),
      el("p", { class: "soft" }, say("NOT_JUDGED")),
      t ? el("p", { class: "soft" }, say("SELF_TEST", t.caught, t.faults, t.blamed)) : null);
  }
  function title(q) {
    return [
      el("h3", {}, el("span", { class: "id" }, q.id), " ",
        el("span", { class: "tags" }, [say(q.level.toUpperCase()),
          q.basis === "implied" ? say("IMPLIED") : null, guide(q)].filter(Boolean).join(", "))),
      el("p", {}, inLanguage(q.text)),
    ];
  }
  function measured(k) {
    if (k.measured_s === undefined) return "";
    const parts = [seconds(k.measured_s)];
    if (k.earliest_s !== undefined) parts.push(say("ALLOWED_FROM", seconds(k.earliest_s)));
    if (k.latest_s !== undefined) parts.push(say("ALLOWED_TO", seconds(k.latest_s)));
    if (k.error_s) parts.push(say("TIMING_ERROR", seconds(k.error_s)));
    return parts.join("; ");
  }
  const place = (k) => (k.rule ? say("RULE", k.rule) : say("STEP", k.step || 0));
  function failedIn(q, c) {
    return (c.checks || []).find((k) => k.requirement === q.id && k.verdict === "fail") ||
      (c.failure && c.failure.requirement === q.id ? c.failure : undefined);
  }
  /* The event that shows it, on a line. */
  function evidence(c, k) {
    const e = k.event !== undefined ? c.transcript[k.event] : undefined;
    if (!e) return "";
    const line = e.packets && e.packets.length ? visible(e.packets.join(" | "))
      : ofTls(e) && handshake(e) ? visible(handshake(e))
      : e.text !== undefined ? visible(e.text.replace(/\n/g, "\\n")) : e.hex || "";
    const cut = Array.from(line);
    return el("span", {}, what(e), line ? el("code", { class: "bytes" },
      cut.length > SHOWN ? cut.slice(0, SHOWN).join("") + "…" : line) : null);
  }
  /* What a conversation is about says nothing of what a rule found in it. */
  function explained(c, k) {
    const u = rules.get(k.rule);
    return u && (u.why || u.mend) ? u : c;
  }
  function link(id) {
    const a = el("a", { class: "id", href: "#conversation-" + id }, id);
    a.addEventListener("click", () => {
      const target = document.getElementById("conversation-" + id);
      if (target) target.open = true;
    });
    return a;
  }
  function among(found) {
    const links = [];
    for (const [c] of found) links.push(links.length ? ", " : "", link(c.id));
    if (found.length <= 4) return el("span", {}, links);
    return el("details", { class: "among" }, el("summary", {}, say("IN_ALL", found.length)), links);
  }
  /* What a rule found is one thing, however many conversations show it. */
  function failure(q) {
    const article = el("article", { class: "is-fail" }, title(q));
    const groups = new Map();
    for (const id of q.conversations) {
      const c = conversations.get(id);
      const k = c && failedIn(q, c);
      if (!k) continue;
      const key = k.rule ? "rule " + k.rule : "conversation " + id;
      groups.set(key, [...(groups.get(key) || []), [c, k]]);
    }
    /* Where it is told best: by a rule, then where the least else is judged. */
    const remote = ([c, k]) => (k.rule ? 0 : c.verifies.length + 1);
    const sorted = [...groups.values()].sort((a, b) => remote(a[0]) - remote(b[0]));
    let any = false;
    for (const found of sorted) {
      const [c, k] = found[0];
      const by = explained(c, k);
      const details = el("details", {}, el("summary", {}, say("TRANSCRIPT") + ": " + c.id));
      article.append(list([
        [say("EXPECTED"), k.expected],
        [say("OBSERVED"), k.observed, "observed"],
        [say("MEASURED"), measured(k)],
        [say("EVIDENCE"), evidence(c, k)],
        [say("AFTER"), k.t !== undefined ? say("FROM_START", seconds(k.t)) : ""],
        [say("FOUND_BY"), el("span", {}, place(k))],
        [say("CONVERSATION"), among(found)],
        [say("WHY"), inLanguage(by.why)],
        [say("MEND"), inLanguage(by.mend), "mend"],
      ]), lazily(details, () => sequence(c, k.event)));
      if (!any) details.open = true;
      any = true;
    }
    if (!any) article.append(list([[say("REASON"), q.reason]]));
    if (q.expected_failure) article.append(list([[say("KNOWN"), q.expect_reason]]));
    return article;
  }
  function failures(known) {
    const all = results.requirements.filter((q) => q.verdict === "fail" && Boolean(q.expected_failure) === known);
    if (!all.length && known) return null;
    return section(known ? "known" : "failures",
      say(known ? "KNOWN_FAILURES" : "FAILURES") + " (" + all.length + ")",
      all.length ? all.map(failure) : el("p", {}, say("NONE")));
  }
  function stale() {
    const all = results.stale_expectations || [];
    return all.length ? section("stale", say("STALE"), el("ul", {}, all.map((s) => el("li", {}, s)))) : null;
  }
  function notTested() {
    const groups = new Map();
    for (const q of results.requirements.filter((r) => r.verdict === "not_tested")) {
      const n = lacks(q) ? say("NEEDS") + ": " + needs(q) : needs(q);
      groups.set(n, [...(groups.get(n) || []), q]);
    }
    const count = [...groups.values()].flat().length;
    return section("not-tested", say("NOT_TESTEDS") + " (" + count + ")",
      count ? [...groups].map(([n, qs]) => el("article", { class: "is-not_tested" },
        el("h3", {}, n),
        el("ul", {}, qs.map((q) => el("li", {}, el("span", { class: "id" }, q.id),
          " (" + say(q.level.toUpperCase()) + ", " + guide(q) + ") " + inLanguage(q.text))))))
        : el("p", {}, say("NONE")));
  }
  function inconclusive() {
    const groups = new Map();
    for (const q of results.requirements.filter((r) => r.verdict === "inconclusive"))
      groups.set(q.reason || "", [...(groups.get(q.reason || "") || []), q]);
    const count = [...groups.values()].flat().length;
    return section("inconclusive", say("INCONCLUSIVES") + " (" + count + ")",
      count ? [...groups].map(([reason, qs]) => el("article", { class: "is-inconclusive" },
        el("h3", {}, reason),
        el("ul", {}, qs.map((q) => el("li", {}, el("span", { class: "id" }, q.id),
          " (" + say(q.level.toUpperCase()) + ", " + guide(q) + ") " + inLanguage(q.text),
          q.conversations.length ? el("div", { class: "soft" }, say("FOUND_BY") + " ",
            el("span", { class: "id" }, q.conversations.join(", "))) : null)))))
        : el("p", {}, say("NONE")));
  }
  function requirements() {
    const choice = (name, values, label) => {
      const select = el("select", {}, el("option", { value: "" }, say("ALL")),
        values.map((v) => el("option", { value: v }, label(v))));
      return [el("label", {}, say(name), select), select];
    };
    const [levelLabel, level] = choice("LEVEL", LEVELS, (l) => say(l.toUpperCase()));
    const [verdictLabel, chosen] = choice("VERDICT", VERDICTS, verdict);
    const word = el("input", { type: "search" });
    const shown = el("span", { class: "soft", role: "status" });
    const rows = results.requirements.map((q) => {
      const row = el("tr", {},
        el("td", {}, el("span", { class: "id" }, q.id)),
        el("td", {}, say(q.level.toUpperCase())),
        el("td", called(q.section) ? { title: called(q.section) } : {}, q.section),
        el("td", {}, inLanguage(q.text), q.verdict !== "pass" && q.reason ? el("div", { class: "soft" }, q.reason) : null),
        el("td", { class: q.verdict }, verdict(q.verdict), q.expected_failure ? " (" + say("KNOWN") + ")" : ""));
      return [q, row, row.textContent.toLowerCase()];
    });
    /* Parts of the protocol, by the beginning of the ids. */
    const part = (q) => q.id.split("-")[0];
    const heads = new Map();
    const parts = new Map();
    for (const [q, row] of rows) parts.set(part(q), [...(parts.get(part(q)) || []), row]);
    const body = [];
    for (const [name, its] of parts) {
      if (phrases[lang]["PART_" + name] !== undefined) {
        heads.set(name, el("tr", { class: "part" },
          el("th", { colspan: "5", scope: "colgroup" }, say("PART_" + name))));
        body.push(heads.get(name));
      }
      body.push(...its);
    }
    function filter() {
      let n = 0;
      for (const head of heads.values()) head.hidden = true;
      for (const [q, row, text] of rows) {
        row.hidden = (level.value && q.level !== level.value) || (chosen.value && q.verdict !== chosen.value) ||
          !text.includes(word.value.toLowerCase());
        if (row.hidden) continue;
        n++;
        if (heads.has(part(q))) heads.get(part(q)).hidden = false;
      }
      shown.textContent = say("SHOWN", n, rows.length);
    }
    for (const input of [level, chosen, word]) input.addEventListener("input", filter);
    filter();
    return section("requirements", say("REQUIREMENTS"),
      el("div", { class: "filters" }, levelLabel, verdictLabel, el("label", {}, say("FILTER"), word), shown),
      table("", [say("ID"), say("LEVEL"), say("SECTION"), say("REQUIREMENT"), say("VERDICT")], body));
  }
  function checks(c) {
    if (!c.checks || !c.checks.length) return null;
    return el("div", {}, el("h4", {}, say("CHECKS")),
      table("", [say("REQUIREMENT"), say("VERDICT"), say("FOUND_BY"), say("OBSERVED")], c.checks.filter((k) => asked.has(k.requirement)).map((k) =>
        el("tr", {}, el("td", {}, el("span", { class: "id" }, k.requirement)),
          el("td", { class: k.verdict }, verdict(k.verdict)), el("td", {}, place(k)),
          el("td", {}, k.observed || k.reason || "",
            k.measured_s !== undefined ? el("div", { class: "soft" }, say("MEASURED") + ": " + measured(k)) : null)))));
  }
  /* Conversations that are written for MQTT are played over TLS where there is no
   * other address. */
  function over(c) {
    const secured = c.transcript.some(ofTls);
    const name = c.transport === "mqtt" && secured ? "mqtts" : c.transport || "";
    const key = "OVER_" + name.toUpperCase();
    return phrases[lang][key] !== undefined ? say(key) : name;
  }
  function conversation(c) {
    const details = el("details", { class: "conversation", id: "conversation-" + c.id },
      el("summary", {}, el("span", { class: c.verdict }, verdict(c.verdict)),
        el("span", {}, el("span", { class: "id" }, c.id), " ", el("span", { class: "soft" }, inLanguage(c.title)),
          c.transport ? el("span", { class: "over" }, over(c)) : null),
        el("span", { class: "soft" }, c.duration_s.toFixed(3) + " s")));
    return lazily(details, () => el("div", { class: "inside" }, list([
      [say("WHY"), inLanguage(c.why)],
      [say("REASON"), c.reason],
      [say("REQUIREMENT"), c.verifies.filter((id) => asked.has(id)).join(", ")],
      [say("TRANSPORT"), over(c)],
      [say("DEVICE"), [c.device, c.other].filter(Boolean).join(", ")],
      [say("SEED"), c.seed !== undefined ? String(c.seed) : ""],
      [say("TRIES"), c.tries > 1 ? String(c.tries) : ""],
    ]), checks(c), el("h4", {}, say("TRANSCRIPT")), sequence(c)));
  }
  function talks() {
    return section("conversations", say("CONVERSATIONS") + " (" + results.conversations.length + ")",
      results.conversations.map(conversation));
  }
  function profile() {
    if (!results.profile) return null;
    return section("profile", say("PROFILE"),
      el("details", {}, el("summary", {}, say("PROFILE")), el("pre", {}, JSON.stringify(results.profile, null, 2))));
  }
  function draw() {
    document.documentElement.lang = lang;
    document.title = visible(results.name + ": " + say(results.summary.outcome.toUpperCase()));
    document.getElementById("report").replaceChildren(...[
      cover(), failures(false), failures(true), stale(), notTested(), inconclusive(), requirements(), talks(), profile(),
    ].filter(Boolean));
  }
  draw();
})();
