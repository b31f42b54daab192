/* What the player does or waits for, in plain words for whoever operates the
 * subject. */
#include "conversation/play.h"

#include <stdio.h>

char *nova_player_waits_for(const struct nova_player *p, bool chinese,
                            char *out, size_t cap, nova_ts *until) {
  *until = nova_player_next_deadline(p);
  const struct nova_step *s = p->step;
  const char *en = "done", *zh = "已结束";
  bool harness = s == NULL || nova__by_harness(p, s);
  char kind[64] = "";
  if (s != NULL && s->verb == NOVA_VERB_SEND && s->messages != NULL) {
    struct nova_wanted w = nova__wanted(s->messages);
    const struct nova_msg_info *info = nova_msg_info(w.kind);
    const struct nova_payload_info *said = nova_payload_info(w.says);
    snprintf(kind, sizeof kind, "%s",
             info != NULL                 ? info->name
             : said != NULL               ? said->name
             : w.packet != NOVA_MQTT_NONE ? nova_mqtt_type_name(w.packet)
                                          : "");
  }
  switch (s != NULL ? s->verb : NOVA_VERB_WAIT) {
  case NOVA_VERB_CONNECT:
    en = harness         ? "connecting"
         : p->bound_once ? "waiting for the device to connect again"
                         : "waiting for the device to connect (power-cycle or "
                           "restart it if it does not by itself)";
    zh = harness ? "正在连接"
         : p->bound_once
             ? "等待设备重新连接"
             : "等待设备连接（若不自动连接，请给设备重新上电或重启）";
    break;
  case NOVA_VERB_SEND:
    en = harness ? "sending" : "waiting for a message";
    zh = harness ? "正在发送" : "等待消息";
    break;
  case NOVA_VERB_CLOSE:
    en = harness ? "closing" : "waiting for it to close the silent connection";
    zh = harness ? "正在关闭" : "等待其关闭静默的连接";
    break;
  case NOVA_VERB_SILENT:
    en = harness ? "keeping silent" : "watching that nothing comes";
    zh = harness ? "保持静默" : "观察其是否静默";
    break;
  case NOVA_VERB_OPEN:
    en = harness ? "keeping the connection open"
                 : "watching that the connection stays open";
    zh = harness ? "保持连接" : "观察连接是否保持";
    break;
  case NOVA_VERB_REPEAT:
    en = harness ? "sending" : "listening to its heartbeat";
    zh = harness ? "正在发送" : "监听其心跳";
    break;
  case NOVA_VERB_ATTEMPTS:
    en = "counting how often it connects again";
    zh = "统计其重连次数";
    break;
  case NOVA_VERB_HOOK:
    en = "waiting for a hook";
    zh = "等待钩子";
    break;
  case NOVA_VERB_ANY_OF:
    en = "waiting for its reaction";
    zh = "等待其反应";
    break;
  case NOVA_VERB_WAIT:
    if (s != NULL) {
      en = "letting time pass";
      zh = "等待时间经过";
    }
    break;
  case NOVA_VERB_SECURE:
  case NOVA_VERB_INSECURE:
    en = "waiting for the TLS handshake";
    zh = "等待 TLS 握手";
    break;
  case NOVA_VERB_PRESENT:
  case NOVA_VERB_HALF_CLOSE:
  case NOVA_VERB_RESET:
  case NOVA_VERB_REFUSE:
  case NOVA_VERB_EACH:
  case NOVA_VERB_STOP: break;
  }
  bool named = kind[0] != '\0' && !harness;
  snprintf(out, cap, "%s%s%s%s", chinese ? zh : en,
           named ? (chinese ? "（" : " (") : "", named ? kind : "",
           named ? (chinese ? "）" : ")") : "");
  return out;
}
