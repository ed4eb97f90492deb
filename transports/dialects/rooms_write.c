/* rooms_write.c: what rooms clients get, as JSON. */
#include "clock.h"
#include "dialects/rooms.h"

/* A post without its text and an ack hardly ever take more: one piece of memory instead of one and then another. */
#define POST_SIZE 384
#define ACK_SIZE 192

static void write_str(cf_json_t *json, const char *key, cf_str_t text)
{
    cf_json_key(json, key);
    cf_json_str(json, text.bytes, text.size);
}

static void write_id(cf_json_t *json, const char *key, cf_id_t id)
{
    cf_json_key(json, key);
    cf_json_id(json, id);
}

static void write_time(cf_json_t *json, const char *key, int64_t at_us)
{
    cf_json_key(json, key);
    cf_json_time(json, at_us);
}

static void write_text(cf_json_t *json, const char *key, const char *text)
{
    cf_json_key(json, key);
    cf_json_text(json, text);
}

/* Room lists and the health body carry whole seconds. */
static int64_t whole_second(int64_t at_us)
{
    return at_us - at_us % 1000000;
}

static int end_frame(cf_json_t *json)
{
    cf_json_object_end(json);
    return json->rc;
}

static int end_body(cf_json_t *json)
{
    cf_json_object_end(json);
    return json->rc < 0 ? json->rc : cf_buf_add_byte(json->out, '\n');
}

/* The members of a post, as history and socket share them (contract, 6.3). What is not stored has no
 * seq. */
static void write_post(cf_json_t *json, cf_id_t room, const cf_post_t *post)
{
    write_id(json, "id", post->id);
    write_id(json, "chatroom_id", room);
    write_id(json, "user_id", post->sender);
    write_str(json, "username", post->username);
    write_str(json, "content", post->text);
    cf_json_key(json, "is_bot");
    cf_json_bool(json, post->kind == CF_POST_BOT);
    write_time(json, "created_at", post->at_us);
    if (post->seq) {
        cf_json_key(json, "seq");
        cf_json_uint(json, post->seq);
    }
}

int cf_rooms_write_event(cf_buf_t *out, cf_id_t room, const cf_event_t *event)
{
    static const char *const types[] = {[CF_EVENT_POST] = "chat_message",
                                        [CF_EVENT_JOINED] = "user_joined",
                                        [CF_EVENT_LEFT] = "user_left",
                                        [CF_EVENT_BOT] = "chat_message",
                                        [CF_EVENT_BOT_ERROR] = "chat_message"};
    cf_json_t json = {.out = out, .rc = cf_buf_reserve(out, POST_SIZE + event->post.text.size)};
    cf_json_object(&json);
    write_text(&json, "type", types[event->kind]);
    if (event->kind == CF_EVENT_JOINED || event->kind == CF_EVENT_LEFT)
        write_str(&json, "username", event->post.username);
    else
        write_post(&json, room, &event->post);
    if (event->kind == CF_EVENT_BOT_ERROR) {
        cf_json_key(&json, "is_error");
        cf_json_bool(&json, true);
    }
    return end_frame(&json);
}

int cf_rooms_write_ack(cf_buf_t *out, const cf_posted_t *posted, cf_str_t client_key)
{
    cf_json_t json = {.out = out, .rc = cf_buf_reserve(out, ACK_SIZE)};
    cf_json_object(&json);
    write_text(&json, "type", "message_ack");
    write_id(&json, "id", posted->id);
    cf_json_key(&json, "seq");
    cf_json_uint(&json, posted->seq);
    if (client_key.size)
        write_str(&json, "client_key", client_key);
    return end_frame(&json);
}

int cf_rooms_write_error(cf_buf_t *out, const char *message, const char *code, cf_str_t client_key,
                         uint32_t retry_after_ms)
{
    cf_json_t json = {.out = out};
    cf_json_object(&json);
    write_text(&json, "type", "error");
    write_text(&json, "message", message);
    write_text(&json, "code", code);
    if (client_key.size)
        write_str(&json, "client_key", client_key);
    if (retry_after_ms) {
        cf_json_key(&json, "retry_after_ms");
        cf_json_uint(&json, retry_after_ms);
    }
    return end_frame(&json);
}

int cf_rooms_write_counts(cf_buf_t *out, const cf_counts_t *counts)
{
    const cf_count_t *count = counts->counts.items;
    char id[CF_ID_TEXT + 1];
    cf_json_t json = {.out = out};
    cf_json_object(&json);
    write_text(&json, "type", "user_count_update");
    cf_json_key(&json, "user_counts");
    cf_json_object(&json);
    for (uint32_t i = 0; i < counts->counts.n; i++) {
        cf_id_text(count[i].room, id);
        cf_json_key(&json, id);
        cf_json_uint(&json, count[i].connections);
    }
    cf_json_object_end(&json);
    return end_frame(&json);
}

int cf_rooms_write_roster(cf_buf_t *out, const cf_roster_t *roster)
{
    const cf_present_t *present = roster->members.items;
    cf_json_t json = {.out = out};
    cf_json_object(&json);
    write_text(&json, "type", "room_roster");
    cf_json_key(&json, "members");
    cf_json_array(&json);
    for (uint32_t i = 0; i < roster->members.n; i++) {
        cf_json_object(&json);
        write_str(&json, "username", present[i].username);
        cf_json_key(&json, "connections");
        cf_json_uint(&json, present[i].connections);
        cf_json_object_end(&json);
    }
    cf_json_array_end(&json);
    cf_json_key(&json, "more");
    cf_json_uint(&json, roster->more);
    return end_frame(&json);
}

int cf_rooms_write_failure(cf_buf_t *out, const char *text)
{
    cf_json_t json = {.out = out};
    cf_json_object(&json);
    write_text(&json, "error", text);
    return end_body(&json);
}

int cf_rooms_write_success(cf_buf_t *out)
{
    cf_json_t json = {.out = out};
    cf_json_object(&json);
    cf_json_key(&json, "success");
    cf_json_bool(&json, true);
    return end_body(&json);
}

static void write_user(cf_json_t *json, cf_id_t id, cf_str_t username, cf_str_t email,
                       int64_t created_us)
{
    cf_json_object(json);
    write_id(json, "id", id);
    write_str(json, "username", username);
    write_str(json, "email", email);
    write_time(json, "created_at", created_us);
}

int cf_rooms_write_user(cf_buf_t *out, cf_id_t id, cf_str_t username, cf_str_t email,
                        int64_t created_us)
{
    cf_json_t json = {.out = out};
    write_user(&json, id, username, email, created_us);
    return end_body(&json);
}

int cf_rooms_write_login(cf_buf_t *out, const cf_logged_in_t *login)
{
    cf_json_t json = {.out = out};
    cf_json_object(&json);
    cf_json_key(&json, "success");
    cf_json_bool(&json, true);
    cf_json_key(&json, "user");
    write_user(&json, login->user, login->username, login->email, login->created_us);
    cf_json_object_end(&json);
    write_str(&json, "session_token", login->token);
    return end_body(&json);
}

int cf_rooms_write_room(cf_buf_t *out, cf_id_t id, const cf_rooms_new_room_t *room,
                        int64_t created_us, cf_id_t creator)
{
    cf_json_t json = {.out = out};
    cf_json_object(&json);
    write_id(&json, "id", id);
    write_str(&json, "name", room->name);
    write_time(&json, "created_at", created_us);
    write_id(&json, "created_by", creator);
    cf_json_key(&json, "ephemeral");
    cf_json_bool(&json, room->ephemeral);
    cf_json_key(&json, "user_count");
    cf_json_uint(&json, 0);
    return end_body(&json);
}

int cf_rooms_write_room_list(cf_buf_t *out, const cf_room_list_t *list)
{
    const cf_room_entry_t *room = list->rooms.items;
    cf_json_t json = {.out = out};
    cf_json_object(&json);
    cf_json_key(&json, "chatrooms");
    cf_json_array(&json);
    for (uint32_t i = 0; i < list->rooms.n; i++) {
        cf_json_object(&json);
        write_id(&json, "id", room[i].id);
        write_str(&json, "name", room[i].name);
        write_time(&json, "created_at", whole_second(room[i].created_us));
        write_id(&json, "created_by", room[i].creator);
        cf_json_key(&json, "ephemeral");
        cf_json_bool(&json, room[i].ephemeral);
        cf_json_key(&json, "user_count");
        cf_json_uint(&json, room[i].connections);
        cf_json_object_end(&json);
    }
    cf_json_array_end(&json);
    cf_json_key(&json, "has_more");
    cf_json_bool(&json, list->more);
    if (list->more && list->rooms.n)
        write_id(&json, "next_cursor", room[list->rooms.n - 1].id);
    return end_body(&json);
}

int cf_rooms_write_page(cf_buf_t *out, cf_id_t room, const cf_page_t *page)
{
    const cf_post_t *posts = page->posts.items;
    cf_json_t json = {.out = out};
    cf_json_object(&json);
    cf_json_key(&json, "messages");
    cf_json_array(&json);
    for (uint32_t i = 0; i < page->posts.n; i++) {
        cf_json_object(&json);
        write_post(&json, room, &posts[i]);
        cf_json_object_end(&json);
    }
    cf_json_array_end(&json);
    return end_body(&json);
}

int cf_rooms_write_health(cf_buf_t *out, const char *status, const char *version,
                          const char *environment, int64_t now_us)
{
    cf_json_t json = {.out = out};
    cf_json_object(&json);
    write_text(&json, "status", status);
    write_time(&json, "timestamp", now_us);
    write_text(&json, "version", version);
    write_text(&json, "environment", environment);
    return end_body(&json);
}

/* What a node waits for that is not ready. One that begins among others opens the store when its place is free. */
static const char *waits_for(const cf_health_state_t *state)
{
    if (state->draining)
        return "its end";
    if (state->joining)
        return state->store_up ? "other nodes" : "the store or other nodes";
    return "the store";
}

int cf_rooms_write_ready(cf_buf_t *out, const cf_health_state_t *state, uint32_t connections_max,
                         int64_t now_us)
{
    cf_json_t json = {.out = out};
    cf_json_object(&json);
    write_text(&json, "status", state->ready ? "ready" : "not_ready");
    if (!state->ready)
        write_text(&json, "waits_for", waits_for(state));
    write_time(&json, "timestamp", whole_second(now_us));
    cf_json_key(&json, "checks");
    cf_json_object(&json);
    cf_json_key(&json, "database");
    cf_json_object(&json);
    write_text(&json, "status", state->store_up ? "up" : "down");
    if (state->store_latency_us >= 1000) {
        cf_json_key(&json, "latency_ms");
        cf_json_int(&json, state->store_latency_us / 1000);
    }
    if (state->store_up) {
        cf_json_key(&json, "metadata");
        cf_json_object(&json);
        cf_json_key(&json, "connections_open");
        cf_json_uint(&json, state->store_connections);
        cf_json_key(&json, "connections_in_use");
        cf_json_uint(&json, state->store_in_use);
        cf_json_key(&json, "connections_idle");
        cf_json_uint(&json, state->store_connections - state->store_in_use);
        cf_json_key(&json, "max_open");
        cf_json_uint(&json, connections_max);
        cf_json_object_end(&json);
    }
    cf_json_object_end(&json);
    cf_json_key(&json, "rabbitmq"); /* the name the contract's clients know; ours is in process */
    cf_json_object(&json);
    write_text(&json, "status", state->live ? "up" : "down");
    cf_json_object_end(&json);
    cf_json_object_end(&json);
    write_text(&json, "database", state->store_up ? "connected" : "disconnected");
    write_text(&json, "rabbitmq", state->live ? "connected" : "disconnected");
    /* for who looks; a node without quotes serves chat all the same */
    write_text(&json, "quote_service", state->quotes_up ? "connected" : "disconnected");
    return end_body(&json);
}
