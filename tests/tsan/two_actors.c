/* Proves that ./dev tsan can be believed: two threads hand frames back and forth over czmq, as
 * actors do. As it is, ThreadSanitizer must report nothing (libzmq's own hand-overs are
 * understood); with an argument both also touch a word they share, and it must report that. */
#include <czmq.h>

#define FRAMES 2000
#define IN_FLIGHT 100

static int shared;
static bool plant_race;

static void echo(zsock_t *pipe, void *unused)
{
    (void)unused;
    zsock_t *inbox = zsock_new_pull("@inproc://echo");
    zsock_t *back = zsock_new_push(">inproc://back");
    zsock_signal(pipe, 0);
    for (int i = 0; i < FRAMES; i++) {
        zframe_t *frame = zframe_recv(inbox);
        if (plant_race)
            shared++;
        zframe_send(&frame, back, 0);
    }
    char *stop = zstr_recv(pipe);
    free(stop);
    zsock_destroy(&inbox);
    zsock_destroy(&back);
}

int main(int argc, char **argv)
{
    (void)argv;
    plant_race = argc > 1;
    zsys_handler_set(NULL);
    zsock_t *inbox = zsock_new_pull("@inproc://back");
    zactor_t *actor = zactor_new(echo, NULL);
    zsock_t *to = zsock_new_push(">inproc://echo");
    for (int i = 0; i < FRAMES; i++) {
        zframe_t *frame = zframe_new("a post", 6);
        if (plant_race)
            shared++;
        zframe_send(&frame, to, 0);
        if (i < IN_FLIGHT)
            continue;
        frame = zframe_recv(inbox);
        zframe_destroy(&frame);
    }
    zactor_destroy(&actor);
    zsock_destroy(&to);
    zsock_destroy(&inbox);
    return 0;
}
