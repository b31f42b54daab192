#!/usr/bin/env bash
# The report's page in a browser: it draws, in both languages' phrases, and what a
# subject sent stands there as text; no script of it runs. Without Chromium: 77.
#
#   report-page.sh TEST_REPORT
#
# TEST_REPORT: the program of the unit tests of report/.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
program=${1:-$root/build/debug/tests/test_report}
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$browser" ]; then
  echo "no Chromium: not checked"
  exit 77
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
NOVA_REPORT_OUT=$out "$program" --filter 'html/*' --jobs 1 >"$out/log" 2>&1 || {
  cat "$out/log"
  exit 1
}

# A probe behind the page's own script would be refused by its policy, so what
# happened is read from the document that is dumped: a script of the subject would
# have changed its title or left an element.
timeout 120 "$browser" --headless --no-sandbox --disable-gpu --disable-background-networking \
  --disable-component-update --disable-sync --no-first-run --user-data-dir="$out/profile" \
  --enable-logging=stderr --dump-dom "file://$out/report.html" >"$out/dom.html" 2>"$out/console"

python3 - "$out" <<'PYTHON'
import html.parser, pathlib, re, sys

out = pathlib.Path(sys.argv[1])
dom = (out / "dom.html").read_text(encoding="utf-8")
wrong = []

class Page(html.parser.HTMLParser):
    """Elements, and the text that is shown."""
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text, self.title = [], [], "", ""
        self.inside = []
    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag not in ("meta", "input", "img", "br", "link"):
            self.inside.append(tag)
    def handle_endtag(self, tag):
        while self.inside and self.inside.pop() != tag:
            pass
    def handle_data(self, data):
        if "title" in self.inside:
            self.title += data
        elif "script" not in self.inside and "style" not in self.inside:
            self.text += data

page = Page()
page.feed(dom)

def need(what, found):
    if not found:
        wrong.append(what)

need("three scripts, none of the subject's", page.tags.count("script") == 3)
need("no element of the subject's", not {"img", "iframe", "object", "embed", "link", "svg"} & set(page.tags))
need("no attribute that runs something", not [a for a in page.attributes if a.startswith("on")])
need("the title is the page's: " + page.title, "NOT CONFORMANT" in page.title and "owned" not in page.title)
for text in ("Gateway </script> \\x1b[2J 2.1",           # the name
             "TCP-HB-09", "closed (FIN) after 121.000 s of silence",
             "18446744073709551557",                       # the seed, exactly
             "the hook send_command", "MQ-PUB-03 is listed as a known failure",
             "121.000 s; not before 180.000 s; timing error up to 0.000450 s",
             "PUBACK id 9 | PINGRESP | (PUBLISH, 5 of 34 bytes so far)",
             "the other end refused, unknown CA, alert 48 came",
             "guide 2.4 data reporting", "MQTT (guide 2)", "TLS (guide 2.1, 2.2)", "MQTT over TLS",
             "This suite catches 89 of the 90", "all transports together"):
    need(f"the page shows: {text}", text in page.text)
bad = re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page.text)
need(f"no character that acts: {bad!r}", not bad)
need("no secret", "k7Qz" not in dom and "second-device" not in dom)
need("main headings", page.tags.count("h1") == 1 and page.tags.count("h2") >= 6)
console = [line for line in (out / "console").read_text(errors="replace").splitlines() if "CONSOLE" in line]
need("nothing on the console: " + "\n".join(console), not console)
print("\n".join("missing: " + w for w in wrong) or "the page shows the report and nothing else")
sys.exit(bool(wrong))
PYTHON

# Hostile text in a transcript is drawn only when its conversation is opened: open
# them all with a copy of the page whose script does so, and look again.
python3 - "$out" <<'PYTHON'
import base64, hashlib, pathlib, re, sys

out = pathlib.Path(sys.argv[1])
page = (out / "report.html").read_text(encoding="utf-8")
start, end = page.rindex("<script>") + 8, page.rindex("</script>")
script = page[start:end]
changed = script + """
(function open(times) {
  document.querySelectorAll("details").forEach((d) => { d.open = true; });
  if (times) setTimeout(open, 50, times - 1); /* those that were inside */
})(4);
"""
digest = lambda s: base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()
if digest(script) not in page:
    sys.exit("the policy does not name the script")
page = page[:start] + changed + page[end:]
(out / "open.html").write_text(page.replace(digest(script), digest(changed)), encoding="utf-8")
PYTHON
timeout 120 "$browser" --headless --no-sandbox --disable-gpu --disable-background-networking \
  --disable-component-update --disable-sync --no-first-run --user-data-dir="$out/profile" \
  --virtual-time-budget=5000 --dump-dom "file://$out/open.html" >"$out/open.dom" 2>/dev/null
python3 - "$out/open.dom" <<'PYTHON'
import pathlib, sys

dom = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
body = dom[dom.index("<main"):dom.index("</main>")]
wrong = [text for text in (
    "&lt;/script&gt;&lt;script&gt;document.title='owned'",
    "&lt;img src=x onerror=",
    "\\x1b[31mred\\x1b[0m", "\\u202edrow", "\\u009b31m",
    "\\x1b]0;owned\\x07",
    "7b 22 74 79 70 65 22 3a  {\"type\":", "22 70 69 6e 67 22 2c ff  \"ping\",.",
    "its process was ended by a signal", "its process ended with status 0",
    "key ***", "\\x1b]0;pwned\\x07&lt;img src=y", "it printed nothing",
    "client_id=\"dev 1\" keep_alive=60 username=DEV-2 password=*** will=novacloud/devices/DEV-2/status",
    'class="fail">malformed PUBLISH: the QoS is 3 at byte 0 [MQTT-3.3.1-4]',
    "TLS 1.3, TLS_AES_256_GCM_SHA384, the certificate of the other end did not verify",
    "40 02 00 09 d0 00 30 20",
    "fe 00 *** 7d 0a", "cut; 5000000 bytes in all") if text not in body]
wrong += [tag for tag in ("<img", "<script", "owned</title>") if tag in body]
print("\n".join("in the open page: " + w for w in wrong) or "transcripts are drawn as text")
sys.exit(bool(wrong))
PYTHON
