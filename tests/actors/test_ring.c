#include "ring.h"

#include "err.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

static cf_ring_t *ring;

static void make(uint32_t events_max, size_t bytes_max)
{
    cr_assert(eq(int, cf_ring_new(&ring, events_max, 0, bytes_max), 0));
}

static void destroy(void)
{
    cf_ring_destroy(&ring);
}

TestSuite(ring, .fini = destroy, .timeout = 30);

static void add_post(uint64_t seq)
{
    char text[32];
    snprintf(text, sizeof text, "t%llu", (unsigned long long)seq);
    cf_post_t post = {
        .seq = seq, .username = cf_str("ann"), .text = cf_str(text), .client_key = cf_str("key")};
    cr_assert(eq(int, cf_ring_add(ring, CF_EVENT_POST, &post), 0));
}

static void add_joined(void)
{
    cf_post_t name = {.username = cf_str("bob")};
    cr_assert(eq(int, cf_ring_add(ring, CF_EVENT_JOINED, &name), 0));
}

Test(ring, is_empty_at_first)
{
    make(4, 1000);
    cr_assert(eq(u64, cf_ring_last_n(ring), 0));
    cr_assert(eq(u64, cf_ring_first_n(ring), 1));
    cr_assert(eq(u64, cf_ring_first_seq(ring), 0));
    cr_assert(eq(u64, cf_ring_after_seq(ring, 0), 0));
    cr_assert(eq(sz, cf_ring_bytes(ring), 0));
}

Test(ring, keeps_copies_of_all_texts)
{
    char text[] = "hello", name[] = "ann", key[] = "key";
    make(4, 1000);
    cf_post_t post = {
        .seq = 9, .username = cf_str(name), .text = cf_str(text), .client_key = cf_str(key)};
    cr_assert(eq(int, cf_ring_add(ring, CF_EVENT_POST, &post), 0));
    text[0] = name[0] = key[0] = '?';
    cf_ring_event_t event = cf_ring_at(ring, 1);
    cr_assert(cf_str_equal(event.post.text, cf_str("hello")));
    cr_assert(cf_str_equal(event.post.username, cf_str("ann")));
    cr_assert(cf_str_equal(event.post.client_key, cf_str("key")));
}

Test(ring, numbers_on_when_the_oldest_go)
{
    make(3, 100000);
    for (uint64_t seq = 1; seq <= 1000; seq++) {
        add_post(seq);
        cr_assert(eq(u64, cf_ring_last_n(ring), seq));
        uint64_t first = seq < 3 ? 1 : seq - 2;
        cr_assert(eq(u64, cf_ring_first_n(ring), first));
        cr_assert(eq(u64, cf_ring_first_seq(ring), first));
        for (uint64_t n = first; n <= seq; n++) {
            cr_assert(eq(u64, cf_ring_at(ring, n).n, n));
            cr_assert(eq(u64, cf_ring_at(ring, n).post.seq, n));
        }
    }
}

Test(ring, keeps_bytes_within_its_bound_but_one_event_always)
{
    static char text[4000];
    make(100, 10000);
    cf_post_t post = {.text = {text, sizeof text}};
    for (post.seq = 1; post.seq <= 10; post.seq++) {
        cr_assert(eq(int, cf_ring_add(ring, CF_EVENT_POST, &post), 0));
        cr_assert(le(sz, cf_ring_bytes(ring), 10000));
    }
    cr_assert(eq(u64, cf_ring_first_n(ring), 9));
    cf_ring_destroy(&ring);
    make(100, 10); /* less than any event */
    add_post(1);
    add_post(2);
    cr_assert(eq(u64, cf_ring_first_n(ring), 2));
    cr_assert(eq(u64, cf_ring_last_n(ring), 2));
}

Test(ring, keeps_posts_that_presence_has_pushed_out_of_the_events)
{
    make(4, 100000);
    add_joined();
    cr_assert(eq(u64, cf_ring_first_seq(ring), 0)); /* no post */
    add_post(41);
    add_joined();
    add_post(42);
    for (int i = 0; i < 10; i++) {
        add_joined();
        cr_assert(eq(u64, cf_ring_first_seq(ring), 41));
    }
    cr_assert(eq(u64, cf_ring_first_n(ring), 11)); /* as events they are gone */
    cr_assert(eq(u64, cf_ring_after_seq(ring, 41), 0));
    cr_assert(eq(u32, cf_ring_entries(ring), 6));
    cr_assert(eq(u64, cf_ring_entry(ring, 0).post.seq, 41));
    cr_assert(eq(u64, cf_ring_entry(ring, 0).n, 0));
    cr_assert(eq(u64, cf_ring_entry(ring, 1).post.seq, 42));
    cr_assert(eq(u64, cf_ring_entry(ring, 2).n, 11));
    add_post(43);
    add_post(44);
    cr_assert(eq(u64, cf_ring_first_seq(ring), 41)); /* four posts */
    add_post(45);
    cr_assert(eq(u64, cf_ring_first_seq(ring), 42)); /* and no more */
    cr_assert(eq(u64, cf_ring_after_seq(ring, 42), cf_ring_at(ring, 15).n));
}

Test(ring, takes_older_posts_in_before_what_it_has_up_to_its_bounds)
{
    static char text[4000];
    make(4, 100000);
    add_joined();
    add_post(9);
    for (uint64_t seq = 8; seq >= 6; seq--) {
        cf_post_t post = {.seq = seq, .text = cf_str("old")};
        cr_assert(eq(int, cf_ring_put_before(ring, &post), 0));
        cr_assert(eq(u64, cf_ring_first_seq(ring), seq));
    }
    cr_assert(eq(int, cf_ring_put_before(ring, &(cf_post_t){.seq = 5}), CF_EFULL));
    for (uint32_t i = 0; i < 3; i++)
        cr_assert(eq(u64, cf_ring_entry(ring, i).post.seq, 6 + i));
    cr_assert(eq(int, cf_ring_entry(ring, 3).kind, CF_EVENT_JOINED));
    cr_assert(eq(u64, cf_ring_first_n(ring), 1)); /* they are no events */
    cr_assert(eq(u64, cf_ring_last_n(ring), 2));
    add_post(10);
    cr_assert(eq(u64, cf_ring_first_seq(ring), 7));
    cf_ring_destroy(&ring);
    make(100, 9000);
    add_post(9);
    cf_post_t post = {.text = {text, sizeof text}};
    for (post.seq = 8; post.seq >= 7; post.seq--)
        cr_assert(eq(int, cf_ring_put_before(ring, &post), 0));
    size_t bytes = cf_ring_bytes(ring);
    cr_assert(eq(int, cf_ring_put_before(ring, &post), CF_EFULL));
    cr_assert(eq(sz, cf_ring_bytes(ring), bytes));
    cr_assert(eq(u64, cf_ring_first_seq(ring), 7));
    post.seq = 10;
    cr_assert(eq(int, cf_ring_add(ring, CF_EVENT_POST, &post), 0)); /* the oldest make room */
    cr_assert(le(sz, cf_ring_bytes(ring), 9000));
    cr_assert(eq(u64, cf_ring_first_seq(ring), 8));
}

Test(ring, finds_the_first_event_behind_a_post)
{
    make(5, 100000);
    add_post(10);
    add_joined();
    add_post(11);
    add_post(12);
    cr_assert(eq(u64, cf_ring_after_seq(ring, 8), 0)); /* 9 is missing */
    cr_assert(eq(u64, cf_ring_after_seq(ring, 9), 1));
    cr_assert(eq(u64, cf_ring_after_seq(ring, 10), 3));
    cr_assert(eq(u64, cf_ring_after_seq(ring, 11), 4));
    cr_assert(eq(u64, cf_ring_after_seq(ring, 12), 5)); /* nothing yet */
    add_joined();
    add_joined(); /* post 10 goes */
    cr_assert(eq(u64, cf_ring_after_seq(ring, 9), 0));
    cr_assert(eq(u64, cf_ring_after_seq(ring, 10), 3));
}

Test(ring, skips_a_number_and_lets_go_of_everything_before_it)
{
    make(4, 100000);
    add_post(1);
    add_post(2);
    cf_ring_skip(ring); /* post 3, for which there was no memory */
    cr_assert(eq(u64, cf_ring_last_n(ring), 3));
    cr_assert(eq(u64, cf_ring_first_n(ring), 4));
    cr_assert(eq(u64, cf_ring_first_seq(ring), 0));
    cr_assert(eq(sz, cf_ring_bytes(ring), 0));
    cr_assert(eq(u64, cf_ring_after_seq(ring, 2), 0));
    add_post(4);
    cr_assert(eq(u64, cf_ring_at(ring, 4).post.seq, 4));
    cr_assert(eq(u64, cf_ring_after_seq(ring, 2), 0)); /* 3 is still missing */
    cr_assert(eq(u64, cf_ring_after_seq(ring, 3), 4));
}

Test(ring, takes_little_memory_while_little_is_in_it)
{
    make(4096, 1u << 20); /* of which nothing is taken in advance: a 100,000 rooms are quiet */
    add_post(1);
    cr_assert(lt(sz, cf_ring_bytes(ring), 300));
}

Test(ring, keeps_more_events_for_a_while_if_it_may)
{
    cr_assert(eq(int, cf_ring_new(&ring, 4, 3, 10000), 0));
    add_post(1);
    for (int i = 0; i < 6; i++)
        add_joined();
    cr_assert(eq(u64, cf_ring_first_n(ring), 1));
    add_joined();
    cr_assert(eq(u64, cf_ring_first_n(ring), 2)); /* and no more */
    cf_ring_trim(ring, 6);
    cr_assert(eq(u64, cf_ring_first_n(ring), 3));
    cf_ring_trim(ring, 0);
    cr_assert(eq(u64, cf_ring_first_n(ring), 5));
    cr_assert(eq(u64, cf_ring_last_n(ring), 8));
    cr_assert(eq(u64, cf_ring_entry(ring, 0).post.seq, 1)); /* as a post it stays */
    cf_ring_trim(ring, 0);
    cr_assert(eq(u64, cf_ring_first_n(ring), 5));
}

static void add_keyed(uint64_t seq, uint8_t sender, const char *key)
{
    cf_post_t post = {.seq = seq, .sender = {{sender}}, .client_key = cf_str(key)};
    cr_assert(eq(int, cf_ring_add(ring, CF_EVENT_POST, &post), 0));
}

static uint64_t seq_of(uint8_t sender, const char *key)
{
    cf_ring_event_t event;
    bool is_there = cf_ring_find_key(&event, ring, (cf_id_t){{sender}}, cf_str(key));
    return is_there ? event.post.seq : 0;
}

Test(ring, finds_a_post_by_its_sender_and_key)
{
    make(8, 100000);
    cr_assert(eq(u64, seq_of(1, "a"), 0)); /* empty */
    add_keyed(1, 1, "a");
    add_keyed(2, 2, "a");
    add_joined();
    add_keyed(3, 1, "b");
    add_keyed(4, 1, "");
    cr_assert(eq(u64, seq_of(1, "a"), 1));
    cr_assert(eq(u64, seq_of(2, "a"), 2));
    cr_assert(eq(u64, seq_of(1, "b"), 3));
    cr_assert(eq(u64, seq_of(2, "b"), 0));
    cr_assert(eq(u64, seq_of(1, ""), 0)); /* no key is no key */
    add_keyed(5, 1, "a");
    cr_assert(eq(u64, seq_of(1, "a"), 5)); /* the newest */
}

static void forget_keys(uint32_t kept)
{
    char key[16];
    make(kept, 100000);
    for (uint64_t seq = 1; seq <= 500; seq++) {
        snprintf(key, sizeof key, "k%d", (int)seq);
        add_keyed(seq, 1, key);
        for (uint64_t old = 1; old <= seq; old++) {
            snprintf(key, sizeof key, "k%d", (int)old);
            cr_assert(eq(u64, seq_of(1, key), old + kept > seq ? old : 0));
        }
    }
    cf_ring_skip(ring);
    cr_assert(eq(u64, seq_of(1, "k500"), 0));
    add_keyed(501, 1, "k500");
    cr_assert(eq(u64, seq_of(1, "k500"), 501));
}

Test(ring, forgets_a_key_with_its_post_and_no_other)
{
    forget_keys(7);
}

Test(ring, forgets_a_key_of_many) /* which are looked at block by block, and go round */
{
    forget_keys(100);
}
